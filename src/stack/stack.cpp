#include "stack/stack.hpp"

#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/detail/park.hpp>

#include "base/valgrind.hpp"
#include "stack/guard.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t slab_bytes_wanted = std::size_t{64} << 20;
constexpr std::uint32_t trim_batches =
    256;  // bounds one call of trim() to some tens of milliseconds

template <std::size_t... I>
constexpr auto make_classes(std::index_sequence<I...>) noexcept {
  return std::array<stack_class, sizeof...(I)>{stack_class(least_stack_log2 + I)...};
}

[[noreturn]] void no_more_stacks(std::size_t size, int error) {
  throw std::system_error(
      error, std::generic_category(),
      "runnel: cannot map a goroutine stack of " + std::to_string(size) +
          " bytes (the limit of mappings is vm.max_map_count; RUNNEL_STACK_GUARD=off goes on "
          "without guards)");
}

}  // namespace

constinit std::array<stack_class, most_stack_log2 - least_stack_log2 + 1> stack_classes =
    make_classes(std::make_index_sequence<most_stack_log2 - least_stack_log2 + 1>{});

stack_class& stack_class_for(std::size_t bytes) {
  if (bytes > (std::size_t{1} << most_stack_log2)) no_more_stacks(bytes, ENOMEM);
  const unsigned log2 = static_cast<unsigned>(std::bit_width(bytes == 0 ? 0 : bytes - 1));
  return stack_classes[log2 <= least_stack_log2 ? 0 : log2 - least_stack_log2];
}

stack_block* stack_class::block_in(std::byte* slot) const noexcept {
  const std::size_t index = reinterpret_cast<std::uintptr_t>(slot) / slot_bytes();
  std::byte* top = slot + slot_bytes() - index % stagger_steps * stagger_step;
  return reinterpret_cast<stack_block*>(top - control_block_bytes);
}

void stack_class::add_slab() {
  std::size_t slots = slab_bytes_wanted / slot_bytes();
  if (slots == 0) slots = 1;
  const std::size_t bytes = slots * slot_bytes();
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) no_more_stacks(size(), errno);
  madvise(base, bytes, MADV_NOHUGEPAGE);  // a touched page must not become 2 MiB
  if (!add_unused({static_cast<std::byte*>(base), static_cast<std::uint32_t>(slots)})) {
    munmap(base, bytes);
    throw std::bad_alloc();
  }
  slots_ += slots;
}

// Called with mu_ held.
bool stack_class::add_unused(slot_run slots) noexcept {
  auto* s = static_cast<slab*>(std::malloc(sizeof(slab)));
  if (s == nullptr) return false;
  *s = slab{fresh_, slots.first, slots.count, 0};
  fresh_ = s;
  return true;
}

// Called with mu_ held.
void stack_class::map_slots(std::uint64_t at_least) {
  while (slots_ < at_least) add_slab();
}

void stack_class::promise(std::uint32_t n) {
  const std::lock_guard lock(mu_);
  map_slots(promised_ + kept_ + n);
  promised_ += n;
}

void stack_class::take_back(std::uint32_t n) noexcept {
  const std::lock_guard lock(mu_);
  promised_ -= n;
}

void stack_class::allow_cache() {
  const std::lock_guard lock(mu_);
  map_slots(promised_ + kept_ + most_cached);
  kept_ += most_cached;
}

// Called with mu_ held. There are some: they were promised. Of a slab of which many were needed many will be: as many more
// as there are, within limits.
stack_class::slot_run stack_class::unused_slots(std::uint32_t most) noexcept {
  slab& s = *fresh_;
  const std::uint32_t n = std::min({std::max(s.used, 1U), s.slots - s.used, most});
  const slot_run taken{s.base + s.used * slot_bytes(), n};
  s.used += n;
  if (s.used == s.slots) {
    fresh_ = s.next;
    std::free(&s);
  }
  return taken;
}

// How many of them have their guards now; errno, if not all.
std::uint32_t stack_class::guard(slot_run fresh) const noexcept {
  std::array<new_stack, most_new_stacks> stacks;
  for (std::uint32_t i = 0; i < fresh.count; ++i) {
    std::byte* const slot = fresh.first + i * slot_bytes();
    stacks[i] = {slot, reinterpret_cast<std::byte*>(block_in(slot))};
  }
  if (fresh.count > 1 && install_guards(std::span(stacks).first(fresh.count), guard_bytes))
    return fresh.count;
  for (std::uint32_t i = 0; i < fresh.count; ++i) {
    errno = install_guard(stacks[i].guard, guard_bytes);
    if (errno != 0) return i;
  }
  return fresh.count;
}

// Called with mu_ released: others need not wait until the kernel has made guards and found memory.
free_list<stack_block> stack_class::make_blocks(slot_run fresh) {
  const std::uint32_t guarded = guard(fresh);
  if (guarded < fresh.count) {
    const int error = errno;
    const std::lock_guard lock(mu_);
    if (!add_unused({fresh.first + guarded * slot_bytes(), fresh.count - guarded}))
      fatal("out of memory for stacks");
    if (guarded == 0) no_more_stacks(size(), error);
  }
  free_list<stack_block> blocks;
  for (std::uint32_t i = guarded; i > 0; --i) {
    std::byte* const slot = fresh.first + (i - 1) * slot_bytes();
    tell_valgrind_of_stack(slot + guard_bytes, slot + slot_bytes());  // for ever
    blocks.push(make_block(slot));
  }
  return blocks;
}

stack_block* stack_class::make_block(std::byte* slot) noexcept {
  stack_block* b = block_in(slot);
  b->low = slot + guard_bytes;
  b->owner = this;
  return b;
}

// Called with mu_ held; releases it, as the kernel has to find memory. 1 to `most` blocks.
free_list<stack_block> stack_class::make_some(std::unique_lock<spinlock> lock, std::uint32_t most) {
  if (cold_count_ > 0) {
    std::byte* const slot = cold_[--cold_count_];
    lock.unlock();
    free_list<stack_block> one;
    one.push(make_block(slot));
    return one;
  }
  const slot_run fresh = unused_slots(most);
  lock.unlock();
  return make_blocks(fresh);
}

free_list<stack_block> stack_class::take() {
  std::unique_lock lock(mu_);
  const free_list<stack_block> some = hot_.take();
  if (some.count > 0) return some;
  return make_some(std::move(lock), many_guards_at_once() ? most_new_stacks : 1);
}

stack_block* stack_class::take_one() {
  std::unique_lock lock(mu_);
  if (stack_block* b = hot_.take_one()) return b;
  return make_some(std::move(lock), 1).head;
}

void stack_class::give(free_list<stack_block> batch) noexcept {
  const std::lock_guard lock(mu_);
  hot_.give(batch);
}

void stack_class::give_one(stack_block* b) noexcept {
  const std::lock_guard lock(mu_);
  hot_.give_one(b);
}

// Called with mu_ held.
bool stack_class::remember_cold(std::byte* slot) noexcept {
  if (cold_count_ == cold_room_) {
    const std::size_t room = cold_room_ == 0 ? 256 : cold_room_ * 2;
    void* bigger = std::realloc(cold_, room * sizeof(*cold_));
    if (bigger == nullptr) return false;
    cold_ = static_cast<std::byte**>(bigger);
    cold_room_ = room;
  }
  cold_[cold_count_++] = slot;
  return true;
}

// Called with mu_ released: nobody else has these blocks.
void stack_class::cool(free_list<stack_block> idle) noexcept {
  while (idle.count > 0) {
    std::byte* low = idle.pop()->low;
    madvise(low, size(), MADV_DONTNEED);  // the guard below stays
    const std::lock_guard lock(mu_);
    if (remember_cold(low - guard_bytes)) continue;
    hot_.give_one(make_block(low - guard_bytes));
  }
}

bool stack_class::trim() noexcept {
  for (std::uint32_t i = 0; i < trim_batches; ++i) {
    free_list<stack_block> idle;
    {
      const std::lock_guard lock(mu_);
      idle = hot_.take_idle();
    }
    if (idle.count == 0) break;
    cool(idle);
  }
  const std::lock_guard lock(mu_);
  return hot_.mark();
}

}  // namespace runnel::detail
