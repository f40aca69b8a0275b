// UDP.
#include <sys/socket.h>

#include "net/open.hpp"

namespace runnel {
namespace {

msghdr message_of(std::span<const iovec> pieces, detail::any_address& name) noexcept {
  msghdr m{};
  m.msg_name = &name;
  m.msg_namelen = sizeof name;
  m.msg_iov = const_cast<iovec*>(pieces.data());  // the calls do not write to it
  m.msg_iovlen = pieces.size();
  return m;
}

bool is_v6(int fd) noexcept {
  int family = AF_INET;
  socklen_t size = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family == AF_INET6;
}

}  // namespace

detail::io_result udp_socket::receive(const context* ctx, const detail::piece_list& into,
                                      endpoint& from) {
  if (get() == nullptr) return detail::socket::failed(EBADF);
  detail::any_address name{};
  const detail::io_result done =
      get()->transfer(detail::poll_direction::read, ctx, [&](detail::edge_word::value) {
        msghdr m = message_of(into.all(), name);
        return ::recvmsg(get()->fd(), &m, 0);
      });
  if (!done.failure) from = detail::endpoint_access::get(name);
  return done;
}

detail::io_result udp_socket::send(const context* ctx, const detail::piece_list& from,
                                   const endpoint& to) {
  if (get() == nullptr) return detail::socket::failed(EBADF);
  if (!from.complete()) return detail::socket::failed(EMSGSIZE);
  detail::any_address name{};
  return get()->transfer(detail::poll_direction::write, ctx, [&](detail::edge_word::value) {
    // An empty datagram has an empty piece: with none at all, qemu's user mode sends nothing.
    constexpr iovec nothing{};
    msghdr m = message_of(from.empty() ? std::span(&nothing, 1) : from.all(), name);
    m.msg_namelen = detail::endpoint_access::put(to, name, v6_);
    return ::sendmsg(get()->fd(), &m, MSG_NOSIGNAL);
  });
}

endpoint udp_socket::local_endpoint(std::error_code& failure) const {
  return detail::name_of(get(), ::getsockname, failure);
}
endpoint udp_socket::local_endpoint() const {
  return detail::or_throw("local endpoint",
                          [&](std::error_code& failure) { return local_endpoint(failure); });
}

udp_socket bind(const endpoint& where, std::error_code& failure) {
  detail::file_descriptor fd = detail::open_bound(where, SOCK_DGRAM, failure);
  if (failure) return {};
  const bool v6 = is_v6(fd.get());
  return detail::net_access::make_udp_socket(std::move(fd), v6);
}
udp_socket bind(const endpoint& where) {
  return detail::or_throw("bind to " + where.to_string(),
                          [&](std::error_code& failure) { return bind(where, failure); });
}

}  // namespace runnel
