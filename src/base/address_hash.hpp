// A place in a table for an object, by its address.
#pragma once
#include <cstdint>

namespace runnel::detail {

/// Fibonacci hashing: the upper bits of neighbouring addresses, and of such as are a power of two apart, differ.
inline std::uint64_t address_hash(const void* address) noexcept {
  const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address)) >> 3;
  return bits * 0x9E3779B97F4A7C15u;
}

}  // namespace runnel::detail
