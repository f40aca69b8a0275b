#include <runnel/detail/queue_lock.hpp>

#include <cstddef>

#include "base/address_hash.hpp"

namespace runnel::detail {

namespace {

constexpr unsigned table_bits = 9;

struct alignas(64) padded_lock {
  spinlock lock;
};

constinit padded_lock table[std::size_t{1} << table_bits];

}  // namespace

spinlock& queue_lock(const void* address) noexcept {
  return table[address_hash(address) >> (64 - table_bits)].lock;
}

}  // namespace runnel::detail
