// Endpoints as the system has them.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <runnel/detail/endpoint.hpp>

namespace runnel::detail {

union any_address {
  sockaddr plain;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

struct endpoint_access {
  /// The length of what it writes. `as_v6`: IPv4 addresses in the form that an IPv6 socket takes.
  static socklen_t put(const endpoint& from, any_address& to, bool as_v6) noexcept;
  /// An IPv4 address in the form of IPv6 gives the IPv4 one. Only for the two families.
  static endpoint get(const any_address& from) noexcept;
  static endpoint make_v6(const in6_addr& bytes, std::uint16_t port, std::uint32_t scope) noexcept;
  static endpoint make_v4(const in_addr& bytes, std::uint16_t port) noexcept;
  /// IPv6's "all addresses".
  static bool is_any_v6(const endpoint& e) noexcept;
};

}  // namespace runnel::detail
