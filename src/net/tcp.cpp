// TCP.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/open.hpp"

namespace runnel {
namespace {

using detail::file_descriptor;
using detail::net_access;

tcp_stream adopt(file_descriptor&& fd) {
  return net_access::make<tcp_stream>(std::move(fd), detail::file_kind::tcp);
}

tcp_stream take(file_descriptor&& fd, const std::error_code& failure) {
  return failure ? tcp_stream() : adopt(std::move(fd));
}  // NOLINT: no leak, the last who uses a socket deletes it

// Asking again while it is under way says how it stands.
int connect_once(int fd, const detail::any_address& to, socklen_t size) noexcept {
  if (::connect(fd, &to.plain, size) == 0 || errno == EISCONN) return 0;
  if (errno == EINPROGRESS || errno == EALREADY) errno = EAGAIN;
  return -1;
}

// A client port drawn at random may be the very one that nobody listens at.
bool is_connected_to_itself(const tcp_stream& s) {
  std::error_code failure;
  return s.local_endpoint(failure) == s.remote_endpoint(failure) && !failure;
}

}  // namespace

endpoint tcp_stream::local_endpoint(std::error_code& failure) const {
  return detail::name_of(get(), ::getsockname, failure);
}
endpoint tcp_stream::remote_endpoint(std::error_code& failure) const {
  return detail::name_of(get(), ::getpeername, failure);
}
endpoint tcp_listener::local_endpoint(std::error_code& failure) const {
  return detail::name_of(get(), ::getsockname, failure);
}

endpoint tcp_stream::local_endpoint() const {
  return detail::or_throw("local endpoint",
                          [&](std::error_code& failure) { return local_endpoint(failure); });
}
endpoint tcp_stream::remote_endpoint() const {
  return detail::or_throw("remote endpoint",
                          [&](std::error_code& failure) { return remote_endpoint(failure); });
}
endpoint tcp_listener::local_endpoint() const {
  return detail::or_throw("local endpoint",
                          [&](std::error_code& failure) { return local_endpoint(failure); });
}

tcp_stream tcp_listener::accept(std::error_code& failure) {
  return take(detail::accept_from(get(), nullptr, failure), failure);
}
tcp_stream tcp_listener::accept(const context& ctx, std::error_code& failure) {
  return take(detail::accept_from(get(), &ctx, failure), failure);
}
tcp_stream tcp_listener::accept() {
  return detail::or_throw("accept", [&](std::error_code& failure) { return accept(failure); });
}
tcp_stream tcp_listener::accept(const context& ctx) {
  return detail::or_throw("accept", [&](std::error_code& failure) { return accept(ctx, failure); });
}

// What is accepted has the listener's TCP_NODELAY.
tcp_listener listen(const endpoint& where, std::error_code& failure) {
  file_descriptor fd = detail::open_bound(where, SOCK_STREAM, failure);
  if (failure || !detail::succeeded(::listen(fd.get(), SOMAXCONN), failure)) return {};
  detail::set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return net_access::make<tcp_listener>(std::move(fd), detail::file_kind::other_socket);
}
tcp_listener listen(const endpoint& where) {
  return detail::or_throw("listen at " + where.to_string(),
                          [&](std::error_code& failure) { return listen(where, failure); });
}

tcp_stream connect(const context& ctx, const endpoint& where, std::error_code& failure) {
  detail::any_address to;
  const socklen_t size = detail::endpoint_access::put(where, to, false);
  file_descriptor fd = detail::open_socket(to.plain.sa_family, SOCK_STREAM, failure);
  if (failure) return {};
  detail::set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  tcp_stream s = adopt(std::move(fd));
  detail::socket& raw = *net_access::of(s);
  failure = raw.transfer(detail::poll_direction::write, &ctx,
                         [&](detail::edge_word::value) { return connect_once(raw.fd(), to, size); })
                .failure;
  if (!failure && is_connected_to_itself(s))
    failure = make_error_code(std::errc::connection_refused);
  if (failure) return {};
  return s;
}
tcp_stream connect(const context& ctx, const endpoint& where) {
  return detail::or_throw("connect to " + where.to_string(),
                          [&](std::error_code& failure) { return connect(ctx, where, failure); });
}

}  // namespace runnel
