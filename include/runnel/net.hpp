// Sockets that block the goroutine and not its thread: TCP, UDP, Unix domain, and names. Component runnel::net.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <runnel/context.hpp>
#include <runnel/detail/endpoint.hpp>
#include <runnel/detail/socket.hpp>
#include <runnel/error.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace runnel {

namespace detail {
struct net_access;
struct lookups;
}  // namespace detail

/// A TCP connection; see stream. TCP_NODELAY is set, as in Go.
///
/// Meets Asio's SyncReadStream and SyncWriteStream with Boost's error codes (<runnel/asio.hpp>), so that Boost.Beast works
/// on it.
class tcp_stream : public stream {
 public:
  /// Closed.
  tcp_stream() noexcept = default;

  /// Where it is connected from and to. `failure` is the errno: std::errc::bad_file_descriptor if it is closed,
  /// std::errc::not_connected.
  endpoint local_endpoint(std::error_code& failure) const;
  endpoint local_endpoint() const;
  endpoint remote_endpoint(std::error_code& failure) const;
  endpoint remote_endpoint() const;

 private:
  friend struct detail::net_access;
  explicit tcp_stream(detail::socket* s) noexcept : stream(s) {}
};

/// Accepts TCP connections. Move-only. Any number of goroutines may accept at once; closing it ends their calls.
class tcp_listener : public detail::socket_owner {
 public:
  /// Closed.
  tcp_listener() noexcept = default;

  /// Blocks until somebody connects. `failure` is as for a stream; std::errc::too_many_files_open leaves the connection
  /// waiting for the next call.
  tcp_stream accept(std::error_code& failure);
  tcp_stream accept();
  /// The same until `ctx` is done, first or from the start: then its error.
  tcp_stream accept(const context& ctx, std::error_code& failure);
  tcp_stream accept(const context& ctx);

  /// Where it listens, with the port that it got.
  endpoint local_endpoint(std::error_code& failure) const;
  endpoint local_endpoint() const;

 private:
  friend struct detail::net_access;
  explicit tcp_listener(detail::socket* s) noexcept : socket_owner(s) {}
};

/// Listens for TCP connections at `where`; SO_REUSEADDR is set. Does not block. `failure` is the errno:
/// std::errc::address_in_use, std::errc::address_not_available, std::errc::permission_denied,
/// std::errc::too_many_files_open. Throws std::bad_alloc when there is no memory.
tcp_listener listen(const endpoint& where, std::error_code& failure);
/// The same; throws the failure as std::system_error.
tcp_listener listen(const endpoint& where);

/// Connects to `where`. Blocks until that has succeeded or failed, or `ctx` is done: then its error. `failure` is the
/// errno: std::errc::connection_refused, std::errc::timed_out, std::errc::host_unreachable, ...
tcp_stream connect(const context& ctx, const endpoint& where, std::error_code& failure);
tcp_stream connect(const context& ctx, const endpoint& where);

/// A stream to another process of this machine; see stream.
class unix_stream : public stream {
 public:
  /// Closed.
  unix_stream() noexcept = default;

 private:
  friend struct detail::net_access;
  explicit unix_stream(detail::socket* s) noexcept : stream(s) {}
};

/// Accepts connections to a name in the file system, which close() and the destructor remove, or in the abstract
/// namespace. In all else as tcp_listener.
class unix_listener : public detail::socket_owner {
 public:
  /// Closed.
  unix_listener() noexcept = default;
  unix_listener(unix_listener&& other) noexcept = default;
  unix_listener& operator=(unix_listener&& other) noexcept;
  ~unix_listener() { remove_path(); }

  unix_stream accept(std::error_code& failure);
  unix_stream accept();
  unix_stream accept(const context& ctx, std::error_code& failure);
  unix_stream accept(const context& ctx);

  void close() noexcept;

 private:
  friend struct detail::net_access;
  unix_listener(detail::socket* s, std::string path) noexcept
      : socket_owner(s), path_(std::move(path)) {}
  void remove_path() noexcept;

  std::string path_;  // in the file system; empty: none, or removed
};

/// As for TCP. std::errc::address_in_use if there is a file of that name, std::errc::filename_too_long for more than 107
/// bytes, std::errc::invalid_argument for an empty one or a zero byte inside.
unix_listener listen(const unix_endpoint& where, std::error_code& failure);
unix_listener listen(const unix_endpoint& where);
unix_stream connect(const context& ctx, const unix_endpoint& where, std::error_code& failure);
unix_stream connect(const context& ctx, const unix_endpoint& where);
/// Two streams connected with each other.
std::pair<unix_stream, unix_stream> unix_pair(std::error_code& failure);
std::pair<unix_stream, unix_stream> unix_pair();

/// Sends and receives datagrams. Move-only. Any number of goroutines may use it at once. Failures, contexts and
/// deadlines are as for a stream.
class udp_socket : public detail::socket_owner {
 public:
  /// Closed.
  udp_socket() noexcept = default;

  /// Blocks until a datagram comes, puts it into `buffers`, and its sender into `from`; its size, but not more than fits:
  /// the rest of a longer one is lost. 0 without a failure: an empty one.
  template <detail::mutable_buffers B>
  std::size_t receive_from(B&& buffers, endpoint& from, std::error_code& failure) {
    return received(receive(nullptr, detail::piece_list(buffers, 0), from), failure);
  }
  template <detail::mutable_buffers B>
  std::size_t receive_from(B&& buffers, endpoint& from) {
    return received(receive(nullptr, detail::piece_list(buffers, 0), from));
  }
  template <detail::mutable_buffers B>
  std::size_t receive_from(const context& ctx, B&& buffers, endpoint& from,
                           std::error_code& failure) {
    return received(receive(&ctx, detail::piece_list(buffers, 0), from), failure);
  }
  template <detail::mutable_buffers B>
  std::size_t receive_from(const context& ctx, B&& buffers, endpoint& from) {
    return received(receive(&ctx, detail::piece_list(buffers, 0), from));
  }

  /// Sends `buffers`, at most 16 pieces, as one datagram; blocks while there is no room. std::errc::message_size if it is
  /// too long or of more pieces.
  template <detail::const_buffers B>
  std::size_t send_to(B&& buffers, const endpoint& to, std::error_code& failure) {
    return sent(send(nullptr, detail::piece_list(buffers, 0), to), failure);
  }
  template <detail::const_buffers B>
  std::size_t send_to(B&& buffers, const endpoint& to) {
    return sent(send(nullptr, detail::piece_list(buffers, 0), to));
  }
  template <detail::const_buffers B>
  std::size_t send_to(const context& ctx, B&& buffers, const endpoint& to,
                      std::error_code& failure) {
    return sent(send(&ctx, detail::piece_list(buffers, 0), to), failure);
  }
  template <detail::const_buffers B>
  std::size_t send_to(const context& ctx, B&& buffers, const endpoint& to) {
    return sent(send(&ctx, detail::piece_list(buffers, 0), to));
  }

  /// Where it receives, with the port that it got.
  endpoint local_endpoint(std::error_code& failure) const;
  endpoint local_endpoint() const;

 private:
  friend struct detail::net_access;
  udp_socket(detail::socket* s, bool v6) noexcept : socket_owner(s), v6_(v6) {}

  detail::io_result receive(const context* ctx, const detail::piece_list& into, endpoint& from);
  detail::io_result send(const context* ctx, const detail::piece_list& from, const endpoint& to);

  static std::size_t received(const detail::io_result& done, std::error_code& failure) {
    failure = done.failure;
    return done.bytes;
  }
  static std::size_t received(const detail::io_result& done) {
    detail::throw_if(done.failure, "receive");
    return done.bytes;
  }
  static std::size_t sent(const detail::io_result& done, std::error_code& failure) {
    return received(done, failure);
  }
  static std::size_t sent(const detail::io_result& done) {
    detail::throw_if(done.failure, "send");
    return done.bytes;
  }

  bool v6_ = false;  // it takes IPv4 addresses in the form of IPv6
};

/// A socket that receives datagrams at `where`; port 0: a free one. Does not block. Failures are as for listen().
udp_socket bind(const endpoint& where, std::error_code& failure);
udp_socket bind(const endpoint& where);

/// What a resolver could not do: the values and messages of getaddrinfo(3).
const std::error_category& resolver_category() noexcept;

/// Asks the system for the addresses of names (getaddrinfo). Copies share the limit. Safe for any number of goroutines.
class resolver {
 public:
  /// `limit` lookups at a time, each of which blocks a thread; who comes later waits. Throws std::invalid_argument if it
  /// is 0.
  explicit resolver(std::size_t limit = 16);

  /// Blocks until the addresses of `host` are known, in the order of preference; at least one unless there is a failure.
  /// `service` is a number or a name ("80", "http"). `failure` is of resolver_category() (EAI_NONAME: no such name,
  /// EAI_AGAIN: no answer), an errno, or that of `ctx` when it is done, first or from the start: then the lookup goes on
  /// without anybody waiting, and still counts.
  std::vector<endpoint> resolve(const context& ctx, std::string_view host, std::string_view service,
                                std::error_code& failure) const;
  std::vector<endpoint> resolve(const context& ctx, std::string_view host,
                                std::string_view service) const;

 private:
  std::shared_ptr<detail::lookups> lookups_;
};

}  // namespace runnel
