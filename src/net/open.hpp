// Making sockets and what stands for them.
#pragma once
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/net.hpp>

#include "net/address.hpp"
#include "net/socket.hpp"

namespace runnel::detail {

struct net_access {
  /// Takes `fd`; throws std::bad_alloc.
  template <class S>
  static S make(file_descriptor&& fd, file_kind kind) {
    return S(new socket(std::move(fd), kind));
  }
  static unix_listener make_unix_listener(file_descriptor&& fd, std::string path) {
    return {new socket(std::move(fd), file_kind::other_socket), std::move(path)};
  }
  static udp_socket make_udp_socket(file_descriptor&& fd, bool v6) {
    return {new socket(std::move(fd), file_kind::other_socket), v6};
  }
  static socket* of(const socket_owner& s) noexcept { return s.get(); }
};

/// Whether a system call that gave `result` succeeded; otherwise `failure` gets the errno.
inline bool succeeded(int result, std::error_code& failure) noexcept {
  if (result >= 0) return true;
  failure.assign(errno, std::system_category());
  return false;
}

/// A non-blocking socket that no child inherits; of no number where there is a failure.
file_descriptor open_socket(int family, int type, std::error_code& failure) noexcept;
/// The same, bound to `where`; "any address" is of IPv4, too, or only, on a machine without IPv6.
file_descriptor open_bound(const endpoint& where, int type, std::error_code& failure) noexcept;
int set_option(int fd, int level, int name, int value) noexcept;

using name_call = int(int, sockaddr*, socklen_t*);
/// By getsockname or getpeername.
endpoint name_of(socket* s, name_call& which, std::error_code& failure) noexcept;

/// Blocks until somebody connects; a descriptor of no number where there is a failure.
file_descriptor accept_from(socket* listener, const context* ctx, std::error_code& failure);

/// `call(failure)`, unless there was a failure, which is thrown as that of `what`.
template <class F>
auto or_throw(const std::string& what, F call) {
  std::error_code failure;
  auto result = call(failure);
  throw_if(failure, what.c_str());
  return result;
}

}  // namespace runnel::detail
