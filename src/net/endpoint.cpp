#include <arpa/inet.h>
#include <net/if.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <system_error>

#include "net/address.hpp"

namespace runnel {
namespace {

constexpr std::size_t mapped_prefix = 12;  // bytes of an IPv4 address in the form of IPv6 before it

[[noreturn]] void throw_invalid(std::string_view text) {
  throw std::system_error(
      make_error_code(std::errc::invalid_argument),
      "runnel: not ADDRESS:PORT with a number as the address (for names: resolver): \"" +
          std::string(text) + '"');
}

template <class N>
bool parse_number(std::string_view text, N& into) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// What follows '%': the name of an interface, or its number.
bool parse_scope(const std::string& text, std::uint32_t& into) noexcept {
  into = if_nametoindex(text.c_str());
  return into != 0 || parse_number(std::string_view(text), into);
}

std::optional<endpoint> parse_address(std::string_view address, std::uint16_t port) {
  if (address.empty()) return endpoint::any(port);
  in_addr v4{};
  if (inet_pton(AF_INET, std::string(address).c_str(), &v4) == 1)
    return detail::endpoint_access::make_v4(v4, port);
  const std::size_t percent = address.find('%');
  std::uint32_t scope = 0;
  if (percent != std::string_view::npos &&
      !parse_scope(std::string(address.substr(percent + 1)), scope))
    return std::nullopt;
  in6_addr v6{};
  if (inet_pton(AF_INET6, std::string(address.substr(0, percent)).c_str(), &v6) != 1)
    return std::nullopt;
  return detail::endpoint_access::make_v6(v6, port, scope);
}

}  // namespace

std::optional<endpoint> endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::string_view address = text.substr(0, colon);
  std::uint16_t port = 0;
  if (!parse_number(text.substr(colon + 1), port)) return std::nullopt;
  const bool has_brackets = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (has_brackets) address = address.substr(1, address.size() - 2);
  // An IPv6 address without brackets may have its last group taken for the port.
  const bool is_v6 = address.find(':') != std::string_view::npos;
  if (has_brackets != is_v6) return std::nullopt;
  return parse_address(address, port);
}

endpoint::endpoint(std::string_view text) {
  const std::optional<endpoint> parsed = parse(text);
  if (!parsed) throw_invalid(text);
  *this = *parsed;
}

endpoint::endpoint(std::string_view address, std::uint16_t port) {
  const std::optional<endpoint> parsed =
      address.find('\0') == std::string_view::npos ? parse_address(address, port) : std::nullopt;
  if (!parsed) throw_invalid(address);
  *this = *parsed;
}

endpoint endpoint::any(std::uint16_t port) noexcept {
  return detail::endpoint_access::make_v6(in6addr_any, port, 0);
}

endpoint endpoint::loopback(std::uint16_t port) noexcept {
  return detail::endpoint_access::make_v4({htonl(INADDR_LOOPBACK)}, port);
}

std::string endpoint::address() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), text.data(), text.size());
  std::string all = text.data();
  if (scope_ == 0) return all;
  std::array<char, IF_NAMESIZE> name{};
  return all + '%' +
         (if_indextoname(scope_, name.data()) != nullptr ? std::string(name.data())
                                                         : std::to_string(scope_));
}

std::string endpoint::to_string() const {
  const std::string port = ':' + std::to_string(port_);
  return v6_ ? '[' + address() + ']' + port : address() + port;
}

std::size_t endpoint::hash() const noexcept {
  constexpr std::size_t factor = 1'000'003;
  const std::string_view bytes(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  return (std::hash<std::string_view>()(bytes) * factor + port_) * factor + scope_ +
         (v6_ ? 1U : 0U);
}

namespace detail {

endpoint endpoint_access::make_v4(const in_addr& bytes, std::uint16_t port) noexcept {
  endpoint e{endpoint::raw{}};
  e.port_ = port;
  std::memcpy(e.bytes_.data(), &bytes, sizeof bytes);
  return e;
}

endpoint endpoint_access::make_v6(const in6_addr& bytes, std::uint16_t port,
                                  std::uint32_t scope) noexcept {
  endpoint e{endpoint::raw{}};
  e.v6_ = true;
  e.port_ = port;
  e.scope_ = scope;
  std::memcpy(e.bytes_.data(), &bytes, sizeof bytes);
  return e;
}

bool endpoint_access::is_any_v6(const endpoint& e) noexcept {
  return e.v6_ && std::all_of(e.bytes_.begin(), e.bytes_.end(), [](auto b) { return b == 0; });
}

socklen_t endpoint_access::put(const endpoint& from, any_address& to, bool as_v6) noexcept {
  if (!from.v6_ && !as_v6) {
    to.v4 = {};
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons(from.port_);
    std::memcpy(&to.v4.sin_addr, from.bytes_.data(), sizeof to.v4.sin_addr);
    return sizeof to.v4;
  }
  to.v6 = {};
  to.v6.sin6_family = AF_INET6;
  to.v6.sin6_port = htons(from.port_);
  to.v6.sin6_scope_id = from.scope_;
  std::uint8_t* const bytes = to.v6.sin6_addr.s6_addr;
  if (from.v6_) {
    std::copy(from.bytes_.begin(), from.bytes_.end(), bytes);
  } else {
    bytes[mapped_prefix - 2] = bytes[mapped_prefix - 1] = 0xff;
    std::copy_n(from.bytes_.begin(), sizeof(in_addr), bytes + mapped_prefix);
  }
  return sizeof to.v6;
}

endpoint endpoint_access::get(const any_address& from) noexcept {
  if (from.plain.sa_family == AF_INET) return make_v4(from.v4.sin_addr, ntohs(from.v4.sin_port));
  const in6_addr& bytes = from.v6.sin6_addr;
  const std::uint16_t port = ntohs(from.v6.sin6_port);
  if (!IN6_IS_ADDR_V4MAPPED(&bytes)) return make_v6(bytes, port, from.v6.sin6_scope_id);
  in_addr v4{};
  std::memcpy(&v4, bytes.s6_addr + mapped_prefix, sizeof v4);
  return make_v4(v4, port);
}

}  // namespace detail
}  // namespace runnel
