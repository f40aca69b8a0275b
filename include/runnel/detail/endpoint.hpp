// Addresses of sockets.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runnel {

namespace detail {
struct endpoint_access;
}

/// An IP address and a port.
class endpoint {
 public:
  /// Port 0 of any address: where a listener gets a free port.
  endpoint() noexcept : endpoint(any(0)) {}
  /// From "127.0.0.1:80", "[::1]:80" or ":80" (any address). The address is a number, not a name (see resolver). Throws
  /// std::system_error (std::errc::invalid_argument) for anything else.
  endpoint(std::string_view text);  // NOLINT: implicit, as a literal is what one has
  endpoint(const char* text) : endpoint(std::string_view(text)) {}         // NOLINT
  endpoint(const std::string& text) : endpoint(std::string_view(text)) {}  // NOLINT
  /// From an address without a port: "127.0.0.1", "::1", "fe80::1%eth0". Throws as above.
  endpoint(std::string_view address, std::uint16_t port);

  /// As the constructor from text, but gives nothing where that throws.
  static std::optional<endpoint> parse(std::string_view text);
  /// All of this machine's addresses, IPv6 and IPv4 (on a machine without IPv6: IPv4).
  static endpoint any(std::uint16_t port) noexcept;
  /// 127.0.0.1.
  static endpoint loopback(std::uint16_t port) noexcept;

  /// "127.0.0.1", "::1", "fe80::1%eth0".
  std::string address() const;
  std::uint16_t port() const noexcept { return port_; }
  bool is_v6() const noexcept { return v6_; }
  /// "127.0.0.1:80", "[::1]:80".
  std::string to_string() const;

  friend auto operator<=>(const endpoint&, const endpoint&) noexcept = default;

  std::size_t hash() const noexcept;

 private:
  friend struct detail::endpoint_access;
  struct raw {};
  explicit endpoint(raw) noexcept {}

  bool v6_ = false;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;               // of a link-local IPv6 address
  std::array<std::uint8_t, 16> bytes_{};  // in network order; of IPv4 the first four
};

/// The name of a Unix domain socket: a path in the file system, or, where it starts with '@', a name in the abstract
/// namespace (as in Go).
struct unix_endpoint {
  std::string path;

  friend auto operator<=>(const unix_endpoint&, const unix_endpoint&) = default;
};

}  // namespace runnel

template <>
struct std::hash<runnel::endpoint> {
  std::size_t operator()(const runnel::endpoint& e) const noexcept { return e.hash(); }
};
