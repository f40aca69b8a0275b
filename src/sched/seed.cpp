#include "sched/seed.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <mutex>
#include <new>

#include "stack/stack.hpp"

namespace runnel::detail {
namespace {

constexpr int trim_batches = 256;         // bounds one call of trim() to some milliseconds
constexpr std::size_t page_bytes = 4096;  // the least there is

}  // namespace

constinit seed_store seeds;

// -- slabs: all with mu_ held ----------------------------------------------------------------------------------------

void seed_store::add_slab() {
  auto* s = new slab;
  s->next = slabs_.load();
  open_ = s;
  slabs_.store(s);
}

void seed_store::make_seeds(slab& s, std::uint32_t most, free_list<seed>& into) {
  const std::uint32_t first = s.used.load();
  const std::uint32_t end = std::min(first + most, seeds_per_slab);
  if (end > s.promised) {
    default_stacks().promise(end - s.promised);
    while (s.promised < end) ::new (&s.at(s.promised++)) seed;
  }
  // Those made before are as they were left, or all zero: either way not alive. A dump may be looking at them.
  for (std::uint32_t i = end; i > first; --i) into.push(&s.at(i - 1));
  s.used.store(end);
}

free_list<seed> seed_store::take_from_slab(std::uint32_t most) {
  if (open_ == nullptr) add_slab();
  slab& s = *open_;
  free_list<seed> some;
  while (some.count < most && s.cold.count > 0) some.push(s.cold.pop());
  if (some.count == 0) make_seeds(s, most, some);
  if (!s.has_some()) open_ = s.next_open;
  return some;
}

// Once all of a slab's seeds are cold, they are as if they had never been made.
void seed_store::cool(seed* one) noexcept {
  auto& s = *reinterpret_cast<slab*>(reinterpret_cast<std::uintptr_t>(one) & ~(slab_bytes - 1));
  if (!s.has_some()) {
    s.next_open = open_;
    open_ = &s;
  }
  s.cold.push(one);
  if (s.cold.count < s.used.load()) return;
  s.cold = {};
  s.used.store(0);
  madvise(reinterpret_cast<std::byte*>(&s) + page_bytes, slab_bytes - page_bytes, MADV_DONTNEED);
}

// --------------------------------------------------------------------------------------------------------------------

free_list<seed> seed_store::take() {
  const std::lock_guard lock(mu_);
  const free_list<seed> some = free_.take();
  return some.count > 0 ? some : take_from_slab(batch_size);
}

void seed_store::give(free_list<seed> batch) noexcept {
  const std::lock_guard lock(mu_);
  free_.give(batch);
}

seed* seed_store::take_one() {
  const std::lock_guard lock(mu_);
  seed* s = free_.take_one();
  return s != nullptr ? s : take_from_slab(1).pop();
}

void seed_store::give_one(seed* s) noexcept {
  const std::lock_guard lock(mu_);
  free_.give_one(s);
}

bool seed_store::trim() noexcept {
  for (int i = 0; i < trim_batches; ++i) {
    const std::lock_guard lock(mu_);
    free_list<seed> idle = free_.take_idle();
    if (idle.count == 0) break;
    while (idle.count > 0) cool(idle.pop());
  }
  const std::lock_guard lock(mu_);
  return free_.mark();
}

}  // namespace runnel::detail
