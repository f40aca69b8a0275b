#include "sched/spawn.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

#include <runnel/detail/spawn.hpp>

#include "base/env.hpp"
#include "sched/locals.hpp"
#include "sched/names.hpp"
#include "sched/scheduler.hpp"
#include "sched/start.hpp"
#include "sched/switch.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {

constinit std::atomic<std::size_t> default_stack_size{0};

namespace {

constexpr std::uint64_t ids_per_block = 64;

std::uint64_t next_id(processor* p) noexcept {
  if (p == nullptr) return sched.ids.fetch_add(1);
  if (p->next_id == p->id_end) {
    p->next_id = sched.ids.fetch_add(ids_per_block);
    p->id_end = p->next_id + ids_per_block;
  }
  return p->next_id++;
}

stack_class& default_class() {
  static std::atomic<stack_class*> cached{nullptr};
  static std::atomic<std::size_t> cached_for{0};
  const std::size_t size = default_stack_size.load(std::memory_order_relaxed);
  stack_class* c = cached.load(std::memory_order_acquire);
  if (c != nullptr && cached_for.load(std::memory_order_relaxed) == size) [[likely]]
    return *c;
  stack_class& fresh = stack_class_for(size);
  cached.store(&fresh, std::memory_order_release);
  cached_for.store(size, std::memory_order_relaxed);
  return fresh;
}

void count_start(processor* p) noexcept {
  if (p != nullptr)
    p->started.store(p->started.load(std::memory_order_relaxed) + 1,
                     std::memory_order_relaxed);  // owner only
  else
    sched.started_outside.fetch_add(1);
}

}  // namespace

new_goroutine make_goroutine(std::size_t bytes, std::size_t stack_size, std::string_view name) {
  processor* p = current_processor();
  if (p == nullptr) [[unlikely]]
    ensure_started();
  stack_block* block = nullptr;
  if (stack_size == 0) [[likely]] {
    stack_class& c = default_class();
    block = p != nullptr && c.size() == default_stack_bytes ? p->stacks.get(c) : c.take_one();
  } else {
    block = stack_class_for(stack_size).take_one();
  }
  auto* g = static_cast<goroutine*>(block);
  forget_frames(g->low, g->stack_bytes());
  char* copy = nullptr;
  if (!name.empty()) [[unlikely]] {
    copy = static_cast<char*>(std::malloc(name.size() + 1));
    if (copy == nullptr) {
      free_goroutine_stack(p, *g);
      throw std::bad_alloc();
    }
    std::memcpy(copy, name.data(), name.size());
    copy[name.size()] = '\0';
  }
  g->name.store(copy, std::memory_order_release);  // release: pairs with copy_goroutine_name()
  auto top = reinterpret_cast<std::uintptr_t>(g) - bytes;
  return {g, reinterpret_cast<void*>(top & ~std::uintptr_t{63})};
}

void abandon_goroutine(new_goroutine made) noexcept {
  drop_goroutine_name(*made.g);
  free_goroutine_stack(current_processor(), *made.g);
}

void start_goroutine(new_goroutine made, void (*entry)(void*), void* created_at) noexcept {
  processor* p = current_processor();
  goroutine* parent = this_goroutine_or_null();
  goroutine& g = *made.g;
  g.what = agent::kind::goroutine;
  g.exceptions = exception_state{};
  g.reason.store(wait_reason::none, std::memory_order_relaxed);
  g.deadlocked = false;
  g.lock_depth = 0;
  g.id = next_id(p);
  g.parent = parent != nullptr ? parent->id : 0;
  g.created_at = created_at;
  g.entry = entry;
  g.closure = made.storage;
  g.scope = parent != nullptr ? parent->scope : 0;
  g.locals = nullptr;
  g.thread = nullptr;
  g.sp = prepare_context(made.storage, goroutine_entry(), &g);
  g.fiber.create(g.low, g.stack_bytes());
  g.state.store(goroutine_state::runnable, std::memory_order_release);
  count_start(p);
  check_attention();
  if (p == nullptr) {
    push_global(&g);
    wake_for_work();
    return;
  }
  p = current_processor();  // attend() may have moved us
  if (p == nullptr || !p->started_here.push(&g)) [[unlikely]]
    push_global(&g);
  if (p != nullptr)
    wake_patiently(*p);
  else
    wake_for_work();
}

// Those that ended are added up first: what starts meanwhile may be counted, but nothing ends that did not start.
std::size_t count_goroutines() noexcept {
  std::uint64_t ended = sched.ended_outside.load();
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i)
    if (const processor* p = sched.all[i].load(); p != nullptr) ended += p->ended.load();
  std::uint64_t started = sched.started_outside.load();
  for (std::uint32_t i = 0; i < n; ++i)
    if (const processor* p = sched.all[i].load(); p != nullptr) started += p->started.load();
  return started > ended ? started - ended : 0;
}

void free_goroutine_stack(processor* p, goroutine& g) noexcept {
  if (p != nullptr && g.owner->size() == default_stack_bytes)
    p->stacks.put(&g);
  else
    g.owner->give_one(&g);
}

void end_goroutine(goroutine& g) noexcept {
  if (g.locals != nullptr) [[unlikely]]
    destroy_locals(g);
  drop_goroutine_name(g);
  if (g.lock_depth != 0) [[unlikely]]
    end_locked_goroutine(g);
  processor& p = *current_processor();
  p.pending.set(pending_action::kind::free, &g);
  switch_from_ended(p, g);
}

void free_goroutine(processor& p, goroutine& g) noexcept {
  g.fiber.destroy();
  g.state.store(goroutine_state::dead, std::memory_order_release);
  p.ended.store(p.ended.load(std::memory_order_relaxed) + 1,
                std::memory_order_relaxed);  // owner only
  free_goroutine_stack(&p, g);
}

}  // namespace runnel::detail
