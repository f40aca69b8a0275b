#include "net/open.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace runnel::detail {
namespace {

// "Not that family on this machine."
bool is_missing(const std::error_code& failure) noexcept {
  return failure == std::errc::address_family_not_supported ||
         failure == std::errc::address_not_available;
}

file_descriptor open_bound_to(const endpoint& where, int type, std::error_code& failure) noexcept {
  any_address name;
  const socklen_t size = endpoint_access::put(where, name, false);
  file_descriptor fd = open_socket(name.plain.sa_family, type, failure);
  if (failure) return {};
  if (type == SOCK_STREAM) set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (where.is_v6())
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, endpoint_access::is_any_v6(where) ? 0 : 1);
  return succeeded(::bind(fd.get(), &name.plain, size), failure) ? std::move(fd)
                                                                 : file_descriptor();
}

// What a connection that failed before it was taken leaves in accept(); see accept(2).
bool is_of_a_lost_connection(int number) noexcept {
  switch (number) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

int accept_once(int listener) noexcept {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 || !is_of_a_lost_connection(errno)) return fd;
  }
}

}  // namespace

int set_option(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value);
}

file_descriptor open_socket(int family, int type, std::error_code& failure) noexcept {
  failure.clear();
  file_descriptor fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!succeeded(fd.get(), failure)) return {};
  if (const int e = fd.leave_standard_numbers(); e != 0) {
    failure.assign(e, std::system_category());
    return {};
  }
  return fd;
}

file_descriptor open_bound(const endpoint& where, int type, std::error_code& failure) noexcept {
  file_descriptor fd = open_bound_to(where, type, failure);
  if (!failure || !is_missing(failure) || !endpoint_access::is_any_v6(where)) return fd;
  return open_bound_to(endpoint_access::make_v4({INADDR_ANY}, where.port()), type, failure);
}

endpoint name_of(socket* s, name_call& which, std::error_code& failure) noexcept {
  any_address name{};
  socklen_t size = sizeof name;
  const int e = socket::ask(s, [&](int fd) { return which(fd, &name.plain, &size); });
  failure.assign(e, std::system_category());
  return e == 0 ? endpoint_access::get(name) : endpoint();
}

file_descriptor accept_from(socket* listener, const context* ctx, std::error_code& failure) {
  const io_result done = listener == nullptr
                             ? socket::failed(EBADF)
                             : listener->transfer(poll_direction::read, ctx, [&](edge_word::value) {
                                 return accept_once(listener->fd());
                               });
  failure = done.failure;
  if (failure) return {};
  file_descriptor fd(static_cast<int>(done.bytes));
  if (const int e = fd.leave_standard_numbers(); e != 0) failure.assign(e, std::system_category());
  return fd;
}

}  // namespace runnel::detail
