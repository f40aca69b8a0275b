#include "stack/stack.hpp"

#include <sys/mman.h>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "stack/guard.hpp"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace runnel::detail {
namespace {

constexpr unsigned least_log2 = 14;  // 16 KiB
constexpr unsigned most_log2 = 36;   // 64 GiB
constexpr std::size_t slab_bytes_wanted = std::size_t{64} << 20;
constexpr std::uint32_t carve_count = 8;
constexpr std::uint32_t trim_batches =
    256;  // bounds one call of trim() to some tens of milliseconds

template <std::size_t... I>
constexpr auto make_classes(std::index_sequence<I...>) noexcept {
  return std::array<stack_class, sizeof...(I)>{stack_class(least_log2 + I)...};
}
// For tools/runnel-gdb.py, which walks the slabs as for_each() does.
[[gnu::used]] constexpr std::size_t slab_layout[] = {guard_bytes, control_block_bytes, stagger_step,
                                                     stagger_steps};
constinit auto classes = make_classes(std::make_index_sequence<most_log2 - least_log2 + 1>{});

[[noreturn]] void no_more_stacks(std::size_t size, int error) {
  throw std::system_error(
      error, std::generic_category(),
      "runnel: cannot map a goroutine stack of " + std::to_string(size) +
          " bytes (the limit of mappings is vm.max_map_count; RUNNEL_STACK_GUARD=off goes on "
          "without guards)");
}

// So that it can tell a change of stacks from a large frame. Slots stay stacks for ever.
void tell_valgrind([[maybe_unused]] std::byte* low, [[maybe_unused]] std::size_t bytes) noexcept {
#if __has_include(<valgrind/valgrind.h>)
  VALGRIND_STACK_REGISTER(low, low + bytes);
#endif
}

}  // namespace

stack_class& stack_class_for(std::size_t bytes) {
  if (bytes > (std::size_t{1} << most_log2)) no_more_stacks(bytes, ENOMEM);
  const unsigned log2 = static_cast<unsigned>(std::bit_width(bytes == 0 ? 0 : bytes - 1));
  return classes[log2 <= least_log2 ? 0 : log2 - least_log2];
}

void for_each_stack_class(const std::function<void(stack_class&)>& f) {
  for (stack_class& c : classes) f(c);
}

stack_block* stack_class::block_in(std::byte* slot) const noexcept {
  const std::size_t index = reinterpret_cast<std::uintptr_t>(slot) / slot_bytes();
  std::byte* top = slot + slot_bytes() - index % stagger_steps * stagger_step;
  return reinterpret_cast<stack_block*>(top - control_block_bytes);
}

void stack_class::add_slab() {
  std::size_t slots = slab_bytes_wanted / slot_bytes();
  if (slots == 0) slots = 1;
  auto* s = static_cast<slab*>(std::malloc(sizeof(slab)));
  if (s == nullptr) throw std::bad_alloc();
  const std::size_t bytes = slots * slot_bytes();
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    std::free(s);
    no_more_stacks(size(), error);
  }
  madvise(base, bytes, MADV_NOHUGEPAGE);  // a touched page must not become 2 MiB
  *s = slab{slabs_, static_cast<std::byte*>(base), static_cast<std::uint32_t>(slots), 0};
  slabs_ = s;
}

// Called with mu_ held.
stack_block* stack_class::carve() {
  std::byte* slot = nullptr;
  if (cold_count_ > 0) {
    slot = cold_[--cold_count_];
  } else {
    if (slabs_ == nullptr || slabs_->used == slabs_->slots) add_slab();
    slot = slabs_->base + slabs_->used * slot_bytes();
    if (const int error = install_guard(slot, guard_bytes); error != 0)
      no_more_stacks(size(), error);
    tell_valgrind(slot + guard_bytes, size());
    ++slabs_->used;
  }
  stack_block* b = block_in(slot);
  b->low = slot + guard_bytes;
  b->owner = this;
  return b;
}

stack_list stack_class::take() {
  std::lock_guard lock(mu_);
  if (batches_ != nullptr) {
    stack_list full{batches_, stack_batch};
    batches_ = batches_->batch_link;
    if (--batch_count_ < batch_low_) batch_low_ = batch_count_;
    return full;
  }
  stack_list fresh;
  while (fresh.count < carve_count) {
    try {
      fresh.push(loose_.count > 0 ? loose_.pop() : carve());
    } catch (...) {
      if (fresh.count > 0) break;
      throw;
    }
  }
  if (loose_.count < loose_low_) loose_low_ = loose_.count;
  return fresh;
}

stack_block* stack_class::take_one() {
  std::lock_guard lock(mu_);
  if (loose_.count == 0) return carve();
  stack_block* b = loose_.pop();
  if (loose_.count < loose_low_) loose_low_ = loose_.count;
  return b;
}

void stack_class::give(stack_list batch) noexcept {
  std::lock_guard lock(mu_);
  if (batch.count == stack_batch) {
    batch.head->batch_link = batches_;
    batches_ = batch.head;
    ++batch_count_;
    return;
  }
  while (batch.count > 0) loose_.push(batch.pop());
}

void stack_class::give_one(stack_block* b) noexcept {
  std::lock_guard lock(mu_);
  loose_.push(b);
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

bool stack_class::trim() noexcept {
  stack_list idle;
  bool more = false;
  {
    std::lock_guard lock(mu_);
    std::uint32_t batches = batch_low_ < trim_batches ? batch_low_ : trim_batches;
    for (; batches > 0; --batches) {
      stack_list batch{batches_, stack_batch};
      batches_ = batches_->batch_link;
      --batch_count_;
      while (batch.count > 0) idle.push(batch.pop());
    }
    for (; loose_low_ > 0; --loose_low_) idle.push(loose_.pop());
    batch_low_ = batch_count_;
    loose_low_ = loose_.count;
    more = batch_count_ > 0 || loose_.count > 0;
  }
  while (idle.count > 0) {
    std::byte* low = idle.pop()->low;
    madvise(low, size(), MADV_DONTNEED);  // the guard below stays
    std::lock_guard lock(mu_);
    if (!remember_cold(low - guard_bytes)) {
      stack_block* b = block_in(low - guard_bytes);
      b->low = low;
      b->owner = this;
      loose_.push(b);
    }
  }
  return more;
}

void stack_class::for_each(const std::function<void(stack_block*)>& f) {
  mu_.lock();
  slab* s = slabs_;
  std::uint32_t used = s != nullptr ? s->used : 0;
  mu_.unlock();
  // Slabs are never taken away, and all but the newest are full.
  for (; s != nullptr; s = s->next, used = s != nullptr ? s->slots : 0)
    for (std::uint32_t i = 0; i < used; ++i) f(block_in(s->base + i * slot_bytes()));
}

void stack_cache::refill(stack_class& c) {
  if (b_.count > 0)
    std::swap(a_, b_);
  else
    a_ = c.take();
}

void stack_cache::spill() noexcept {
  if (b_.count > 0) b_.head->owner->give(b_);
  b_ = a_;
  a_ = stack_list{};
}

void stack_cache::flush() noexcept {
  if (a_.count > 0) a_.head->owner->give(a_);
  if (b_.count > 0) b_.head->owner->give(b_);
  a_ = b_ = stack_list{};
}

}  // namespace runnel::detail
