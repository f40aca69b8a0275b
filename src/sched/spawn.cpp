#include "sched/spawn.hpp"

#include <system_error>

#include <runnel/detail/spawn.hpp>

#include "base/output.hpp"
#include "sched/locals.hpp"
#include "sched/names.hpp"
#include "sched/scheduler.hpp"
#include "sched/start.hpp"
#include "sched/switch.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constinit std::atomic<stack_class*> default_class{nullptr};
// Goroutines of no special size get their stacks when they begin: true where a stack that was promised can certainly be
// had, as where its guard needs no mapping of its own.
constinit std::atomic<bool> late_stacks{false};

constexpr std::uint64_t ids_per_block = 64;

std::uint64_t next_id(processor* p) noexcept {
  if (p == nullptr) return sched.ids.fetch_add(1);
  if (p->next_id == p->id_end) {
    p->next_id = sched.ids.fetch_add(ids_per_block);
    p->id_end = p->next_id + ids_per_block;
  }
  return p->next_id++;
}

using counter = std::atomic<std::uint64_t>;

// `own`: the processor's counter, which only its owner writes. `outside`: that of all who have no processor.
void count(processor* p, counter processor::*own, counter& outside) noexcept {
  if (p != nullptr)
    (p->*own).store((p->*own).load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  else
    outside.fetch_add(1);
}

stack_block* take_stack(processor* p, stack_class& c) {
  return p != nullptr && &c == &default_stacks() ? p->stacks.get(c) : c.take_one();
}

void free_stack(processor* p, stack_block& b) noexcept {
  stack_class& c = *b.owner;
  const bool is_default = &c == &default_stacks();
  if (p != nullptr && is_default) [[likely]] {
    p->stacks.put(c, &b);
    return;
  }
  c.give_one(&b);
  if (!is_default) c.take_back(1);
}

seed& take_seed(processor* p) {
  seed* s = p != nullptr ? p->seed_cache.get(seeds) : seeds.take_one();
  allow(s->closure, sizeof s->closure);
  return *s;
}

// The seed, and its stack if it has one.
void give_back(processor* p, seed& s) noexcept {
  if (goroutine* g = s.body.load(std::memory_order_relaxed)) {
    s.body.store(nullptr, std::memory_order_relaxed);
    free_stack(p, *g);
  }
  forbid(s.closure, sizeof s.closure);
  if (p != nullptr) [[likely]]
    p->seed_cache.put(seeds, &s);
  else
    seeds.give_one(&s);
}

void take_stack_early(processor* p, seed& s, stack_class& c) {
  const bool is_default = &c == &default_stacks();  // one of which the seed was promised
  if (!is_default) c.promise(1);
  try {
    s.body.store(static_cast<goroutine*>(take_stack(p, c)), std::memory_order_relaxed);
  } catch (...) {
    if (!is_default) c.take_back(1);
    throw;
  }
}

// What is rarely wanted. Gives the seed back where it throws.
[[gnu::noinline]] void equip(processor* p, seed& s, stack_class* early, std::string_view name) {
  try {
    if (early != nullptr) take_stack_early(p, s, *early);
    if (!name.empty()) set_goroutine_name(s, name);
  } catch (...) {
    give_back(p, s);
    throw;
  }
}

// The class of the stack that has to be taken at once; null: it can wait.
stack_class* early_class(std::size_t stack_size) {
  if (stack_size != 0) [[unlikely]]
    return &stack_class_for(stack_size);
  return late_stacks.load(std::memory_order_relaxed) ? nullptr : default_class.load();
}

// Makes `b` the stack of the goroutine that grows from `s`.
goroutine& plant(seed& s, stack_block& b) noexcept {
  auto& g = static_cast<goroutine&>(b);
  forget_frames(g.low, g.stack_bytes());
  g.begun = true;
  g.what = agent::kind::goroutine;
  g.exceptions = exception_state{};
  g.reason.store(wait_reason::none, std::memory_order_relaxed);
  g.deadlocked = false;
  g.lock_depth = 0;
  g.origin = &s;
  g.locals = nullptr;
  g.thread = nullptr;
  g.sp = prepare_context(&b, goroutine_entry(), &g);
  g.fiber.create(g.low, g.stack_bytes());
  g.state.store(goroutine_state::runnable, std::memory_order_release);
  s.body.store(&g, std::memory_order_release);  // release: pairs with the load in watch/look.cpp
  return g;
}

}  // namespace

void set_default_stack_size(std::size_t bytes) {
  stack_class& c = stack_class_for(bytes);
  default_class.store(&c);
  late_stacks.store(&c == &default_stacks() && guards() != guard_kind::mprotect);
}

new_goroutine make_goroutine(std::size_t stack_size, std::string_view name) {
  processor* p = current_processor();
  if (p == nullptr) [[unlikely]]
    ensure_started();
  stack_class* const early = early_class(stack_size);
  seed& s = take_seed(p);
  if (early != nullptr || !name.empty()) [[unlikely]]
    equip(p, s, early, name);
  return {&s, s.closure};
}

void abandon_goroutine(new_goroutine made) noexcept {
  drop_goroutine_name(*made.s);
  give_back(current_processor(), *made.s);
}

void start_goroutine(new_goroutine made, void (*entry)(void*), void* created_at) noexcept {
  processor* p = current_processor();
  const goroutine* parent = this_goroutine_or_null();
  seed& s = *made.s;
  s.id = next_id(p);
  s.parent = parent != nullptr ? parent->origin->id : 0;
  s.scope = parent != nullptr ? parent->origin->scope : 0;
  s.created_at = created_at;
  s.entry = entry;
  s.alive.store(true, std::memory_order_release);  // release: pairs with the load in watch/look.cpp
  runnable* r = &s;
  if (goroutine* early = s.body.load(std::memory_order_relaxed)) [[unlikely]]
    r = &plant(s, *early);
  count(p, &processor::started, sched.started_outside);
  check_attention();
  if (p == nullptr) {
    push_from_outside(r);
    return;
  }
  p = current_processor();  // attend() may have moved us
  if (p == nullptr || !p->started_here.push(r)) [[unlikely]]
    push_global(r);
  if (p != nullptr)
    wake_patiently(*p);
  else
    wake_for_work();
}

goroutine& begin_goroutine(processor& p, seed& s) noexcept {
  try {
    return plant(s, *take_stack(&p, default_stacks()));
  } catch (const std::system_error& e) {  // the kernel has no memory for a guard
    write_stderr("fatal error: ");
    write_stderr(e.what());
    write_stderr("\n");
    end_process(2);
  }
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

void end_goroutine(goroutine& g) noexcept {
  if (g.locals != nullptr) [[unlikely]]
    destroy_locals(g);
  drop_goroutine_name(*g.origin);
  if (g.lock_depth != 0) [[unlikely]]
    end_locked_goroutine(g);
  processor& p = *current_processor();
  p.pending.set(pending_action::kind::free, &g);
  switch_from_ended(p, g);
}

void free_goroutine(processor* p, goroutine& g) noexcept {
  seed& s = *g.origin;
  g.fiber.destroy();
  g.state.store(goroutine_state::dead, std::memory_order_release);
  // Before it is counted: nothing that is not counted is shown.
  s.alive.store(false, std::memory_order_release);
  count(p, &processor::ended, sched.ended_outside);
  give_back(p, s);
}

}  // namespace runnel::detail
