// What all sockets have: an owner, deadlines, and the two ways to report a failure.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <runnel/detail/buffers.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/poll.hpp>
#include <span>
#include <system_error>
#include <utility>

namespace runnel {

class context;

namespace detail {

class socket;  // src/net/socket.hpp
struct net_access;
class asio_layer;  // <runnel/asio.hpp>

struct io_result {
  std::size_t bytes = 0;
  std::error_code failure{};
};

/// Without a context where `ctx` is null. All block.
io_result read_socket(socket* s, const context* ctx, std::span<const iovec> into);
io_result write_socket(socket* s, const context* ctx, std::span<const iovec> from);

/// std::error_code and Boost's, which has the same face.
template <class E>
concept failure_code = requires(E& e, int number) {
  e.assign(number, E().category());
  e.clear();
};

template <failure_code E>
void tell(E& failure, const std::error_code& what) {
  if constexpr (std::same_as<E, std::error_code>) {
    failure = what;
  } else if (what) {
    failure.assign(what.value(), E().category());
  } else {
    failure.clear();
  }
}

/// Whether a read_some() that finds the end of a stream says so by an error code, too, as Asio's do.
template <class E>
struct end_of_stream {
  static_assert(std::same_as<E, std::error_code>,
                "runnel: include <runnel/asio.hpp> to use Asio's error codes with this stream");
  static void tell(E& /*failure*/) noexcept {}
};

[[noreturn]] void throw_failure(const std::error_code& failure, const char* what);

inline void throw_if(const std::error_code& failure, const char* what) {
  if (failure) throw_failure(failure, what);
}

/// Owns a socket of any kind.
class socket_owner {
 public:
  /// The descriptor, non-blocking, for wait_readable(), on_readable() and socket options; -1: closed. Not to be closed by
  /// itself.
  int native_handle() const noexcept;
  bool is_open() const noexcept { return native_handle() >= 0; }
  /// Closes it; no effect on one that is closed. Others may use the socket meanwhile: their calls end, as those that come
  /// later, with std::errc::bad_file_descriptor. Does not block.
  void close() noexcept;

  /// From `deadline` on, of `runnel::clock` or `std::chrono::steady_clock`, all calls end with std::errc::timed_out, those
  /// that wait already and those that would not have to wait included (as Go's SetDeadline). time_point::max(): no
  /// deadline, as at the start.
  template <any_time_point TP>
  void set_deadline(TP deadline) noexcept {
    set_read_deadline(deadline);
    set_write_deadline(deadline);
  }
  /// The same for what receives and accepts.
  template <any_time_point TP>
  void set_read_deadline(TP deadline) noexcept {
    set_deadline_ns(poll_direction::read, deadline_at(deadline));
  }
  /// The same for what sends.
  template <any_time_point TP>
  void set_write_deadline(TP deadline) noexcept {
    set_deadline_ns(poll_direction::write, deadline_at(deadline));
  }

 protected:
  socket_owner() noexcept = default;
  explicit socket_owner(socket* s) noexcept : socket_(s) {}
  socket_owner(socket_owner&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
  socket_owner& operator=(socket_owner&& other) noexcept {
    if (this != &other) {
      drop();
      socket_ = std::exchange(other.socket_, nullptr);
    }
    return *this;
  }
  ~socket_owner() { drop(); }

  socket* get() const noexcept { return socket_; }

 private:
  friend struct net_access;
  void drop() noexcept;
  void set_deadline_ns(poll_direction direction, std::int64_t deadline) noexcept;

  socket* socket_ = nullptr;  // null: never opened, or moved from
};

}  // namespace detail

/// Which half of a connection is shut down.
enum class shut : std::uint8_t { read, write, both };

/// A connected stream of bytes: what tcp_stream and unix_stream have in common. Move-only.
///
/// One goroutine (or thread) may read while another one writes and any closes it or sets deadlines. Of several that read
/// at once each gets some of the bytes; of several that write at once the bytes may be mixed.
///
/// Buffers are anything contiguous of bytes (std::string, std::span<char>, std::array<std::byte, N>, ...) and sequences
/// of such, Asio's buffers among them; read_some() and write_some() use the first 16 pieces of a sequence. `failure` is the
/// errno of the call, or what wait_readable() gives, or std::errc::timed_out when the deadline has come, or
/// std::errc::bad_file_descriptor if the stream is closed, before or meanwhile. The forms without `failure` throw it as
/// std::system_error. Those with a context end when it is done, first or from the start, with its error (context_errc).
/// With Boost's error codes, a read_some() that finds the end gives asio::error::eof if <runnel/asio.hpp> is included.
class stream : public detail::socket_owner {
 public:
  /// Blocks until there is something to read, reads up to as much as fits and returns how many bytes; 0 without a failure:
  /// the end, or `buffers` are empty.
  template <detail::mutable_buffers B, detail::failure_code E>
  std::size_t read_some(B&& buffers, E& failure) {
    const detail::piece_list pieces(buffers, 0);
    const detail::io_result done = detail::read_socket(get(), nullptr, pieces.all());
    detail::tell(failure, done.failure);
    if (done.bytes == 0 && !done.failure && !pieces.empty())
      detail::end_of_stream<E>::tell(failure);
    return done.bytes;
  }
  template <detail::mutable_buffers B>
  std::size_t read_some(B&& buffers) {
    return once("read", detail::read_socket, nullptr, buffers);
  }
  template <detail::mutable_buffers B>
  std::size_t read_some(const context& ctx, B&& buffers, std::error_code& failure) {
    const detail::io_result done =
        detail::read_socket(get(), &ctx, detail::piece_list(buffers, 0).all());
    failure = done.failure;
    return done.bytes;
  }
  template <detail::mutable_buffers B>
  std::size_t read_some(const context& ctx, B&& buffers) {
    return once("read", detail::read_socket, &ctx, buffers);
  }

  /// Blocks until there is room, writes up to all of `buffers` and returns how many bytes. Never raises SIGPIPE:
  /// std::errc::broken_pipe when nobody can read any more.
  template <detail::const_buffers B, detail::failure_code E>
  std::size_t write_some(B&& buffers, E& failure) {
    const detail::io_result done =
        detail::write_socket(get(), nullptr, detail::piece_list(buffers, 0).all());
    detail::tell(failure, done.failure);
    return done.bytes;
  }
  template <detail::const_buffers B>
  std::size_t write_some(B&& buffers) {
    return once("write", detail::write_socket, nullptr, buffers);
  }
  template <detail::const_buffers B>
  std::size_t write_some(const context& ctx, B&& buffers, std::error_code& failure) {
    const detail::io_result done =
        detail::write_socket(get(), &ctx, detail::piece_list(buffers, 0).all());
    failure = done.failure;
    return done.bytes;
  }
  template <detail::const_buffers B>
  std::size_t write_some(const context& ctx, B&& buffers) {
    return once("write", detail::write_socket, &ctx, buffers);
  }

  /// Reads until `buffers` are full; fewer bytes only at the end of the stream or with a failure.
  template <detail::mutable_buffers B>
  std::size_t read(B&& buffers, std::error_code& failure) {
    return repeat(detail::read_socket, nullptr, buffers, failure);
  }
  template <detail::mutable_buffers B>
  std::size_t read(B&& buffers) {
    return or_throw("read", detail::read_socket, nullptr, buffers);
  }
  template <detail::mutable_buffers B>
  std::size_t read(const context& ctx, B&& buffers, std::error_code& failure) {
    return repeat(detail::read_socket, &ctx, buffers, failure);
  }
  template <detail::mutable_buffers B>
  std::size_t read(const context& ctx, B&& buffers) {
    return or_throw("read", detail::read_socket, &ctx, buffers);
  }

  /// Writes all of `buffers`; fewer bytes, which is what it returns, only with a failure.
  template <detail::const_buffers B>
  std::size_t write(B&& buffers, std::error_code& failure) {
    return repeat(detail::write_socket, nullptr, buffers, failure);
  }
  template <detail::const_buffers B>
  std::size_t write(B&& buffers) {
    return or_throw("write", detail::write_socket, nullptr, buffers);
  }
  template <detail::const_buffers B>
  std::size_t write(const context& ctx, B&& buffers, std::error_code& failure) {
    return repeat(detail::write_socket, &ctx, buffers, failure);
  }
  template <detail::const_buffers B>
  std::size_t write(const context& ctx, B&& buffers) {
    return or_throw("write", detail::write_socket, &ctx, buffers);
  }

  /// Shuts one half of the connection down, or both: after `write` the other side reads the end, while it may go on to
  /// send. Does not block. std::errc::not_connected if the other side is gone already.
  void shutdown(shut what, std::error_code& failure) noexcept;
  void shutdown(shut what);

  /// What asio::ssl::stream wants to know of the stream below it; needs <runnel/asio.hpp>.
  using lowest_layer_type = detail::asio_layer;
  static lowest_layer_type& lowest_layer();

 protected:
  stream() noexcept = default;
  explicit stream(detail::socket* s) noexcept : socket_owner(s) {}
  ~stream() = default;
  stream(stream&&) noexcept = default;
  stream& operator=(stream&&) noexcept = default;

 private:
  using call = detail::io_result(detail::socket*, const context*, std::span<const iovec>);

  template <class B>
  std::size_t once(const char* name, call& what, const context* ctx, B& buffers) {
    const detail::io_result done = what(get(), ctx, detail::piece_list(buffers, 0).all());
    detail::throw_if(done.failure, name);
    return done.bytes;
  }
  // Until all is done, nothing more comes, or it fails.
  template <class B>
  std::size_t repeat(call& what, const context* ctx, B& buffers, std::error_code& failure) {
    std::size_t total = 0;
    for (;;) {
      const detail::piece_list pieces(buffers, total);
      const detail::io_result done = what(get(), ctx, pieces.all());
      total += done.bytes;
      failure = done.failure;
      if (pieces.empty() || done.failure || done.bytes == 0) return total;
    }
  }
  template <class B>
  std::size_t or_throw(const char* name, call& what, const context* ctx, B& buffers) {
    std::error_code failure;
    const std::size_t total = repeat(what, ctx, buffers, failure);
    detail::throw_if(failure, name);
    return total;
  }
};

}  // namespace runnel
