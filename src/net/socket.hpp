// A socket of any kind, or an end of a pipe, as its owner and the calls under way see it.
//
// The descriptor is closed by whoever is last: the owner that closes, or the last call that was under way then. So no call
// ever meets another file of the same number, and close() need not wait.
#pragma once
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <runnel/context.hpp>
#include <runnel/detail/socket.hpp>

#include "base/file_descriptor.hpp"
#include "poll/own.hpp"

namespace runnel::detail {

/// By which calls it is read and written, and what a read says that gave less than was asked for: of TCP that nothing is
/// left, unless the other side sent urgent data or its end; of others nothing.
enum class file_kind : std::uint8_t { tcp, other_socket, pipe };

class socket {
 public:
  /// Takes a non-blocking descriptor. Throws std::bad_alloc; then it stays the caller's.
  socket(file_descriptor&& fd, file_kind kind);

  int fd() const noexcept { return io_.fd(); }
  file_kind kind() const noexcept { return kind_; }
  bool is_closed() const noexcept { return (uses_.load() & closed_bit) != 0; }
  void close() noexcept;
  /// By the owner, once: closes it, and deletes it as soon as no call is under way.
  void drop() noexcept;
  void set_deadline(poll_direction direction, std::int64_t deadline) noexcept;

  /// Calls `attempt` (a system call: a size, or -1 and an errno) until it gives anything but EAGAIN. It gets what was known
  /// of the edge before it.
  template <class F>
  io_result transfer(poll_direction direction, const context* ctx, F attempt) {
    const use mine(*this);
    if (!mine) return failed(EBADF);
    check_attention();
    for (;;) {
      if (const std::error_code reason = reason_to_stop(direction, ctx)) return {0, reason};
      edge_word& edge = io_.edge(direction);
      const edge_word::value seen = edge.look();
      if (edge_word::may_be_ready(seen)) {
        const auto n = attempt(seen);
        if (n >= 0) return {static_cast<std::size_t>(n), {}};
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return failed(errno);
        edge.found_empty(seen);
      }
      if (const int e = wait(direction, ctx); e != 0) return failed(e);
    }
  }

  /// What `attempt` gives when it is called, but never EINTR. Whatever the deadline; the edge stays as it is.
  template <class F>
  static io_result transfer_at_once(socket* s, F attempt) {
    if (s == nullptr) return failed(EBADF);
    const use mine(*s);
    if (!mine) return failed(EBADF);
    for (;;) {
      const auto n = attempt(s->fd());
      if (n >= 0) return {static_cast<std::size_t>(n), {}};
      if (errno != EINTR) return failed(errno);
    }
  }

  /// What `call` does with the descriptor, which is not closed meanwhile, where it succeeds; an errno otherwise.
  template <class F>
  static int ask(socket* s, F call) {
    return transfer_at_once(s, call).failure.value();
  }

  /// For `attempt`s that read: less came than was asked for after `seen` was looked at.
  void came_short(edge_word::value seen) noexcept {
    if (kind_ == file_kind::tcp && !edge_word::is_special(seen))
      io_.edge(poll_direction::read).found_empty(seen);
  }

  static io_result failed(int number) noexcept {
    return {0, std::error_code(number, std::system_category())};
  }

 private:
  class use {
   public:
    explicit use(socket& s) noexcept : socket_(s.enter() ? &s : nullptr) {}
    use(const use&) = delete;
    use& operator=(const use&) = delete;
    ~use() {
      if (socket_ != nullptr) socket_->leave();
    }
    explicit operator bool() const noexcept { return socket_ != nullptr; }

   private:
    socket* socket_;
  };

  static constexpr std::uint32_t closed_bit = 1;
  static constexpr std::uint32_t dropped_bit = 2;
  static constexpr std::uint32_t one_use = 4;

  ~socket() = default;
  bool enter() noexcept;
  void leave() noexcept;
  std::error_code reason_to_stop(poll_direction direction, const context* ctx) const;
  int wait(poll_direction direction, const context* ctx);

  std::atomic<std::uint32_t> uses_{0};  // calls under way, times one_use; and the two bits
  const file_kind kind_;
  std::atomic<std::int64_t> deadlines_[2] = {never, never};  // by poll_direction
  own_descriptor io_;
};

/// The failure of `ctx`, which is done.
std::error_code failure_of(const context& ctx);

}  // namespace runnel::detail
