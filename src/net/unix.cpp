// Unix domain sockets.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstddef>
#include <cstring>

#include "net/open.hpp"

namespace runnel {
namespace {

using detail::file_descriptor;
using detail::net_access;

struct unix_address {
  sockaddr_un name{};
  socklen_t size = 0;
};

bool is_abstract(const unix_endpoint& e) noexcept { return e.path.starts_with('@'); }

unix_address address_of(const unix_endpoint& e, std::error_code& failure) noexcept {
  unix_address a;
  a.name.sun_family = AF_UNIX;
  failure.clear();
  if (e.path.empty() || e.path.find('\0') != std::string::npos)
    failure = make_error_code(std::errc::invalid_argument);
  else if (e.path.size() >= sizeof a.name.sun_path)
    failure = make_error_code(std::errc::filename_too_long);
  if (failure) return a;
  std::memcpy(a.name.sun_path, e.path.data(), e.path.size());
  if (is_abstract(e)) a.name.sun_path[0] = '\0';
  // The name in the abstract namespace is all there is, also zeros at its end.
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + e.path.size() +
                                  (is_abstract(e) ? 0 : 1));
  return a;
}

const sockaddr* plain(const unix_address& a) noexcept {
  return reinterpret_cast<const sockaddr*>(&a.name);
}

// A read stops short where descriptors were sent along.
unix_stream take(file_descriptor&& fd, const std::error_code& failure) {
  if (failure) return {};
  return net_access::make<unix_stream>(std::move(fd), detail::file_kind::other_socket);
}

}  // namespace

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
  if (this != &other) {
    close();
    path_ = std::exchange(other.path_, {});
    socket_owner::operator=(std::move(other));
  }
  return *this;
}

void unix_listener::remove_path() noexcept {
  if (!path_.empty() && is_open()) ::unlink(path_.c_str());
}

void unix_listener::close() noexcept {
  remove_path();
  socket_owner::close();
}

unix_stream unix_listener::accept(std::error_code& failure) {
  return take(detail::accept_from(get(), nullptr, failure), failure);
}
unix_stream unix_listener::accept(const context& ctx, std::error_code& failure) {
  return take(detail::accept_from(get(), &ctx, failure), failure);
}
unix_stream unix_listener::accept() {
  return detail::or_throw("accept", [&](std::error_code& failure) { return accept(failure); });
}
unix_stream unix_listener::accept(const context& ctx) {
  return detail::or_throw("accept", [&](std::error_code& failure) { return accept(ctx, failure); });
}

unix_listener listen(const unix_endpoint& where, std::error_code& failure) {
  const unix_address name = address_of(where, failure);
  if (failure) return {};
  file_descriptor fd = detail::open_socket(AF_UNIX, SOCK_STREAM, failure);
  if (failure || !detail::succeeded(::bind(fd.get(), plain(name), name.size), failure) ||
      !detail::succeeded(::listen(fd.get(), SOMAXCONN), failure))
    return {};
  return net_access::make_unix_listener(std::move(fd), is_abstract(where) ? "" : where.path);
}
unix_listener listen(const unix_endpoint& where) {
  return detail::or_throw("listen at " + where.path,
                          [&](std::error_code& failure) { return listen(where, failure); });
}

// Succeeds or fails at once: the kernel keeps no queue of those who would like to.
unix_stream connect(const context& ctx, const unix_endpoint& where, std::error_code& failure) {
  const unix_address name = address_of(where, failure);
  if (failure) return {};
  if (ctx.err()) {
    failure = detail::failure_of(ctx);
    return {};
  }
  file_descriptor fd = detail::open_socket(AF_UNIX, SOCK_STREAM, failure);
  if (failure || !detail::succeeded(::connect(fd.get(), plain(name), name.size), failure))
    return {};
  return take(std::move(fd), failure);
}
unix_stream connect(const context& ctx, const unix_endpoint& where) {
  return detail::or_throw("connect to " + where.path,
                          [&](std::error_code& failure) { return connect(ctx, where, failure); });
}

std::pair<unix_stream, unix_stream> unix_pair(std::error_code& failure) {
  failure.clear();
  int fds[2] = {-1, -1};
  if (!detail::succeeded(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                         failure))
    return {};
  file_descriptor first(fds[0]);
  file_descriptor second(fds[1]);
  for (file_descriptor* fd : {&first, &second})
    if (const int e = fd->leave_standard_numbers(); e != 0)
      failure.assign(e, std::system_category());
  unix_stream one = take(std::move(first), failure);
  return {std::move(one), take(std::move(second), failure)};
}
std::pair<unix_stream, unix_stream> unix_pair() {
  return detail::or_throw("socketpair",
                          [&](std::error_code& failure) { return unix_pair(failure); });
}

}  // namespace runnel
