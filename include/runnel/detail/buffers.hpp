// What can be read into and written from: anything contiguous of bytes, and sequences of such, Asio's among them.
#pragma once
#include <sys/uio.h>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace runnel::detail {

template <class P>
concept byte_pointer = std::is_pointer_v<P> &&
    (std::is_void_v<std::remove_pointer_t<P>> || sizeof(std::remove_pointer_t<P>) == 1);
template <class P>
concept mutable_byte_pointer = byte_pointer<P> && !std::is_const_v<std::remove_pointer_t<P>>;

/// Bytes in one piece: std::span<char>, std::string, std::array<std::byte, N>, asio::const_buffer, ...
template <class B>
concept const_piece = requires(B& b) {
  { b.data() } -> byte_pointer;
  { b.size() } -> std::convertible_to<std::size_t>;
};
template <class B>
concept mutable_piece = const_piece<B> && requires(B& b) {
  { b.data() } -> mutable_byte_pointer;
};

template <class B>
concept const_sequence = requires(B& b) {
  { *b.begin() } -> const_piece;
  b.end();
};
template <class B>
concept mutable_sequence = const_sequence<B> && requires(B& b) {
  { *b.begin() } -> mutable_piece;
};

template <class B>
concept const_buffers =
    const_piece<std::remove_reference_t<B>> || const_sequence<std::remove_reference_t<B>>;
template <class B>
concept mutable_buffers =
    mutable_piece<std::remove_reference_t<B>> || mutable_sequence<std::remove_reference_t<B>>;

/// Up to as many pieces as one system call is given.
class piece_list {
 public:
  /// Those of `buffers` after their first `skipped` bytes.
  template <class B>
  piece_list(B& buffers, std::size_t skipped) noexcept {
    if constexpr (const_sequence<B>) {
      for (auto it = buffers.begin(); it != buffers.end() && complete_; ++it) {
        auto&& piece = *it;
        add(piece, skipped);
      }
    } else {
      add(buffers, skipped);
    }
  }

  std::span<const iovec> all() const noexcept { return std::span(pieces_).first(count_); }
  bool empty() const noexcept { return count_ == 0; }
  /// There are no more.
  bool complete() const noexcept { return complete_; }

 private:
  template <class P>
  void add(P& piece, std::size_t& skipped) noexcept {
    const auto size = static_cast<std::size_t>(piece.size());
    if (size <= skipped) {
      skipped -= size;
      return;
    }
    if (count_ == pieces_.size()) {
      complete_ = false;
      return;
    }
    // Who reads has been asked for a mutable piece.
    auto* const start =
        static_cast<char*>(const_cast<void*>(static_cast<const void*>(piece.data())));
    pieces_[count_++] = {start + skipped, size - skipped};
    skipped = 0;
  }

  std::array<iovec, 16> pieces_;
  std::size_t count_ = 0;
  bool complete_ = true;
};

}  // namespace runnel::detail
