#include <runnel/detail/place.hpp>

#include <algorithm>
#include <bit>

#include "base/address_hash.hpp"
#include "base/cpu.hpp"
#include "sched/processor.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t most_places = 16;

}  // namespace

static_assert(place_size == cache_line);

std::size_t place_count() noexcept {
  static const auto cpus = static_cast<std::size_t>(allowed_cpus());
  return std::bit_ceil(std::min(cpus, most_places));
}

std::size_t own_place(std::size_t count) noexcept {
  if (const processor* const p = current_processor(); p != nullptr) return p->index & (count - 1);
  return (address_hash(this_thread()) >> 32) & (count - 1);
}

}  // namespace runnel::detail
