#include "sched/switch.hpp"

#include "sched/spawn.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {

void run_pending(processor& p) noexcept {
  const auto what = p.pending.what;
  void* const arg = p.pending.arg;
  p.pending.what = pending_action::kind::none;
  switch (what) {
    case pending_action::kind::none:
      break;
    case pending_action::kind::unlock:
      static_cast<spinlock*>(arg)->unlock();
      break;
    case pending_action::kind::call:
      p.pending.fn(arg);
      break;
    case pending_action::kind::requeue:
      // release: nobody is woken for it
      enqueue_here<std::memory_order_release>(p, static_cast<runnable*>(arg));
      break;
    case pending_action::kind::requeue_globally:
      push_global(static_cast<runnable*>(arg));
      break;
    case pending_action::kind::free:
      free_goroutine(&p, *static_cast<goroutine*>(arg));
      break;
  }
}

namespace {

// For tools/runnel-gdb.py: of the library, only this unit always has debug information, and all types it needs.
[[gnu::used]] seed_store* const all_seeds = &seeds;

// A new goroutine begins here, on its own stack. The frame neither catches nor is noexcept: an exception that leaves
// the closure finds no handler, so terminate runs on the throwing stack with nothing unwound.
void goroutine_main(void* switch_arg, void* self) {
  auto& g = *static_cast<goroutine*>(self);
  auto& p = *static_cast<processor*>(switch_arg);
  arrived(g.fiber);
  finish_switch(p);
  g.origin->entry(g.origin->closure);
  end_goroutine(g);
}

inline goroutine& make_current(processor& p, goroutine& g) noexcept {
  p.current = &g;
  g.state.store(goroutine_state::running, std::memory_order_relaxed);
  give_exceptions(*p.eh, g.exceptions);
  return g;
}

// Apart, so that the usual switch saves no registers of its own; it ends in a jump, as told at park_goroutine().
[[gnu::noinline]] void begin_and_switch(processor& p, goroutine& self, seed& next) noexcept {
  switch_away(p, self, &begin_goroutine(p, next));
}

}  // namespace

context_entry goroutine_entry() noexcept { return goroutine_main; }

void switch_away(processor& p, goroutine& self, runnable* next) noexcept {
  if (next != nullptr && !next->begun) [[unlikely]]
    return begin_and_switch(p, self, static_cast<seed&>(*next));
  take_exceptions(*p.eh, self.exceptions);
  void* resumed = nullptr;
  if (next != nullptr) {
    goroutine& to = make_current(p, static_cast<goroutine&>(*next));
    leaving(self.fiber, to.fiber, false);
    resumed = runnel_switch(&self.sp, to.sp, &p);
  } else {
    p.current = nullptr;
    leaving(self.fiber, p.sched_fiber, false);
    resumed = runnel_switch(&self.sp, p.sched_sp, &p);
  }
  auto& now = *static_cast<processor*>(resumed);
  arrived(self.fiber);
  finish_switch(now);
}

void switch_from_ended(processor& p, goroutine& self) noexcept {
  void* unused = nullptr;
  if (runnable* const next = pick_local(p)) {
    goroutine& to = make_current(p, begun(p, *next));
    leaving(self.fiber, to.fiber, true);
    runnel_switch(&unused, to.sp, &p);
  } else {
    p.current = nullptr;
    leaving(self.fiber, p.sched_fiber, true);
    runnel_switch(&unused, p.sched_sp, &p);
  }
  __builtin_unreachable();
}

processor* switch_into(processor& p, runnable& next) noexcept {
  goroutine& to = make_current(p, begun(p, next));
  sanitizer_fiber& own = p.sched_fiber;
  leaving(own, to.fiber, false);
  auto* now = static_cast<processor*>(runnel_switch(&p.sched_sp, to.sp, &p));
  if (now == nullptr) {  // the processor went to another thread when a goroutine was locked here
    arrived(this_thread()->base_fiber);
    return nullptr;
  }
  arrived(now->sched_fiber);
  finish_switch(*now);
  return now;
}

}  // namespace runnel::detail
