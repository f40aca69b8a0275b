// Reading and writing.
#include <sys/socket.h>
#include <sys/uio.h>
#include <climits>

#include "net/pipe.hpp"
#include "net/socket.hpp"

namespace runnel {
namespace detail {
namespace {

std::size_t size_of(std::span<const iovec> pieces) noexcept {
  std::size_t size = 0;
  for (const iovec& p : pieces) size += p.iov_len;
  return size;
}

msghdr message_of(std::span<const iovec> pieces) noexcept {
  msghdr m{};
  m.msg_iov = const_cast<iovec*>(pieces.data());  // the calls do not write to it
  m.msg_iovlen = pieces.size();
  return m;
}

ssize_t receive(int fd, std::span<const iovec> into) noexcept {
  if (into.size() == 1) return ::recv(fd, into[0].iov_base, into[0].iov_len, 0);
  msghdr m = message_of(into);
  return ::recvmsg(fd, &m, 0);
}

ssize_t send(int fd, std::span<const iovec> from) noexcept {
  if (from.size() == 1) return ::send(fd, from[0].iov_base, from[0].iov_len, MSG_NOSIGNAL);
  const msghdr m = message_of(from);
  return ::sendmsg(fd, &m, MSG_NOSIGNAL);
}

}  // namespace

io_result read_socket(socket* s, const context* ctx, std::span<const iovec> into) {
  if (s == nullptr) return socket::failed(EBADF);
  const std::size_t room = size_of(into);
  if (room == 0) return {};
  return s->transfer(poll_direction::read, ctx, [&](edge_word::value seen) {
    const ssize_t n =
        s->kind() == file_kind::pipe ? read_pipe(s->fd(), into) : receive(s->fd(), into);
    if (n > 0 && static_cast<std::size_t>(n) < room) s->came_short(seen);
    return n;
  });
}

io_result write_socket(socket* s, const context* ctx, std::span<const iovec> from) {
  if (s == nullptr) return socket::failed(EBADF);
  if (size_of(from) == 0) return {};
  return s->transfer(poll_direction::write, ctx, [&](edge_word::value) {
    return s->kind() == file_kind::pipe ? write_pipe(s->fd(), from) : send(s->fd(), from);
  });
}

}  // namespace detail

void stream::shutdown(shut what, std::error_code& failure) noexcept {
  const int how = what == shut::read ? SHUT_RD : what == shut::write ? SHUT_WR : SHUT_RDWR;
  const int e = detail::socket::ask(get(), [=](int fd) { return ::shutdown(fd, how); });
  failure.assign(e, std::system_category());
}

void stream::shutdown(shut what) {
  std::error_code failure;
  shutdown(what, failure);
  detail::throw_if(failure, "shutdown");
}

}  // namespace runnel
