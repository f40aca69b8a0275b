#include <runnel/detail/queue_lock.hpp>

#include <cstddef>
#include <cstdint>

namespace runnel::detail {

namespace {

constexpr unsigned table_bits = 9;

struct alignas(64) padded_lock {
  spinlock lock;
};

constinit padded_lock table[std::size_t{1} << table_bits];

}  // namespace

spinlock& queue_lock(const void* address) noexcept {
  // Fibonacci hashing: neighbouring objects get locks that are far apart.
  const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address)) >> 3;
  return table[(bits * 0x9E3779B97F4A7C15u) >> (64 - table_bits)].lock;
}

}  // namespace runnel::detail
