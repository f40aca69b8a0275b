// Giving way: by wish, and when a time slice is over.
#include "sched/yield.hpp"

#include <sched.h>

#include "sched/switch.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {

void yield_goroutine() noexcept {
  processor* p = current_processor();
  if (p == nullptr || p->current == nullptr) {
    give_processor_away();
    sched_yield();
    return;
  }
  goroutine& self = *p->current;
  runnable* next = pick_local(*p);
  if (next == nullptr) {
    // Where there is nothing here, only every so often is the rest of the world asked, so that yielding alone costs
    // little.
    const bool look = p->has_queued_work() || look_turn(*p) || sched.global_size.load() != 0 ||
                      attention.load(std::memory_order_relaxed) != 0;
    if (!look) return;
    p->preempt.store(false, std::memory_order_relaxed);
    self.state.store(goroutine_state::runnable, std::memory_order_relaxed);
    // For a look in passing it comes behind those that are here, as ever.
    const bool stays = look_turn(*p) && !fair_turn(*p) && p->has_queued_work();
    p->pending.set(stays ? pending_action::kind::requeue : pending_action::kind::requeue_globally,
                   static_cast<runnable*>(&self));
    switch_away(*p, self, nullptr);
    return;
  }
  self.state.store(goroutine_state::runnable, std::memory_order_relaxed);
  p->pending.set(pending_action::kind::requeue, static_cast<runnable*>(&self));
  switch_away(*p, self, next);
}

void attend() noexcept {
  processor* p = current_processor();
  if (p == nullptr || !p->preempt.load(std::memory_order_relaxed)) return;
  if (p->current == nullptr) return give_processor_away();
  if (!p->preempt.exchange(false)) return;
  // Due timers are left to the scheduler's own context: what they start may notice the end of a slice itself.
  p->slice_was_ended = true;
  goroutine& self = *p->current;
  self.state.store(goroutine_state::runnable, std::memory_order_relaxed);
  p->pending.set(pending_action::kind::requeue_globally, static_cast<runnable*>(&self));
  switch_away(*p, self, nullptr);
}

}  // namespace runnel::detail
