// Blocking and waking; see runnel/detail/park.hpp for the protocol.
#include <sched.h>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/go.hpp>

#include "base/cpu.hpp"
#include "base/futex.hpp"
#include "sched/scheduler.hpp"
#include "sched/start.hpp"
#include "sched/switch.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {

scheduler constinit sched;
constinit std::atomic<std::uint32_t> attention{0};

namespace {

// True: the deadlock report chose this goroutine to throw.
bool take_deadlock(goroutine& self) noexcept { return std::exchange(self.deadlocked, false); }

// A plain thread's park, or that of a goroutine locked to its thread.
bool park_as_thread(wait_reason reason) noexcept {
  end_if_forked();
  thread_agent& self = *this_thread();
  park_thread(self, reason, never);
  return self.locked == nullptr || !take_deadlock(*self.locked);
}

// The state is written before the switch although the goroutine still runs: dumps look at the stack pointer, which is
// null until runnel_switch saves it.
void begin_waiting(goroutine& self, wait_reason reason) noexcept {
  self.reason.store(reason, std::memory_order_relaxed);
  self.since.store(sched.coarse_now.load(std::memory_order_relaxed), std::memory_order_relaxed);
  self.sp = nullptr;
  self.state.store(goroutine_state::waiting,
                   std::memory_order_release);  // release: pairs with the claim of a dump
}

// Nobody makes it ready before the release action (p.pending) has run on the other side of the switch. Not inlined: then
// all who wait return through the same calls, as the processor predicts (see switch.S), whichever way they parked.
[[gnu::noinline]] bool park_goroutine(processor& p, wait_reason reason) noexcept {
  goroutine& self = *p.current;
  begin_waiting(self, reason);
  switch_away(p, self, pick_local(p));
  return !take_deadlock(self);
}

// From waiting to `next`, once no dump is at its stack. False: the deadlock report was faster.
bool end_waiting(goroutine& g, goroutine_state next) noexcept {
  auto expected = goroutine_state::waiting;
  while (!g.state.compare_exchange_weak(expected, next)) {
    if (expected != goroutine_state::scanning && expected != goroutine_state::waiting) return false;
    if (expected == goroutine_state::scanning) sched_yield();
    expected = goroutine_state::waiting;
  }
  return true;
}

void ready_goroutine(goroutine& g) noexcept {
  if (end_waiting(g, goroutine_state::runnable)) start_goroutine_here(&g);
}

}  // namespace

// A goroutine made ready goes into the next slot; what was there goes into the queue.
void start_goroutine_here(goroutine* g) noexcept {
  processor* p = current_processor();
  if (p == nullptr) {
    push_from_outside(g);
    return;
  }
  if (p->next.load(std::memory_order_relaxed) == nullptr) {
    // Only the owner fills an empty slot. release: pairs with the thief's load in steal_lone()
    p->next.store(g, std::memory_order_release);
  } else if (runnable* before = p->next.exchange(g)) {
    enqueue_here(*p, before);
  }
  wake_patiently(*p);
}

bool park(wait_reason reason, spinlock& held) noexcept {
  processor* p = current_processor();
  if (p != nullptr && p->current != nullptr) [[likely]] {
    p->pending.set(pending_action::kind::unlock, &held);
    return park_goroutine(*p, reason);
  }
  held.unlock();
  return park_as_thread(reason);
}

bool park(wait_reason reason, void (*release)(void*), void* arg) noexcept {
  processor* p = current_processor();
  if (p != nullptr && p->current != nullptr) [[likely]] {
    p->pending.set(pending_action::kind::call, arg, release);
    return park_goroutine(*p, reason);
  }
  release(arg);
  return park_as_thread(reason);
}

namespace {

// Without a timeout: it can wake nobody any more, so the deadlock report has to look again. Whoever gives the signal
// takes it off the count of parked threads, perhaps before it is on it: too few are counted then, never too many.
void wait_for_signal(thread_agent& self) noexcept {
  auto expected = static_cast<std::uint32_t>(thread_agent::no_signal);
  if (!self.signal.compare_exchange_strong(expected, thread_agent::parked)) return;
  sched.parked_threads.fetch_add(1);
  sched.park_count.fetch_add(1);
  if (sched.wake_monitor != nullptr) sched.wake_monitor();
  while (self.signal.load() == thread_agent::parked)
    futex_wait(self.signal, thread_agent::parked, never);
}

// Of one that has armed something it is known before it counts as parked, and until it no longer does.
void wait_for_source(thread_agent& self) noexcept {
  sched.parked_armed.fetch_add(1);
  wait_for_signal(self);
  sched.parked_armed.fetch_sub(1);
}

void sleep(thread_agent& self, std::int64_t deadline) noexcept {
  if (deadline == never) return self.armed ? wait_for_source(self) : wait_for_signal(self);
  auto expected = static_cast<std::uint32_t>(thread_agent::no_signal);
  self.signal.compare_exchange_strong(expected, thread_agent::asleep);
  while (self.signal.load() == thread_agent::asleep && now_ns() < deadline)
    futex_wait(self.signal, thread_agent::asleep, deadline);
}

// So that dumps can walk the stack of a goroutine that is locked to its thread, the thread sleeps on its own.
void sleep_off_stack(thread_agent& self, goroutine& g, wait_reason reason,
                     std::int64_t deadline) noexcept {
  self.deadline = deadline;
  begin_waiting(g, reason);
  leaving(g.fiber, self.base_fiber, false);
  runnel_switch(&g.sp, self.base_sp, nullptr);
  arrived(g.fiber);
}

// A partner that runs on another core often answers before the kernel would have put this thread to sleep. True: it has.
bool spin_for_signal(thread_agent& self) noexcept {
  if (!self.spins.worth_trying()) return false;
  const auto ready = [&] { return self.signal.load() != thread_agent::no_signal; };
  const bool came = spin_until(ready, wake_up_us);
  self.spins.tried(came);
  return came;
}

void ready_thread(thread_agent& t) noexcept {
  std::atomic<std::uint32_t>* signal = &t.signal;
  auto seen = static_cast<std::uint32_t>(thread_agent::no_signal);
  while (seen != thread_agent::parked &&
         !signal->compare_exchange_strong(seen, thread_agent::signalled)) {
  }
  if (seen == thread_agent::no_signal) return;  // it does not sleep
  if (seen == thread_agent::parked) {
    sched.parked_threads.fetch_sub(1);  // first, lest it has ended and still counts as parked
    signal->store(thread_agent::signalled);
  }
  futex_wake(signal);  // the thread may be gone: only the address is used
}

}  // namespace

void serve_locked() noexcept {
  thread_agent& self = *this_thread();
  while (goroutine* g = self.locked) {
    sleep(self, self.deadline);
    if (!end_waiting(*g, goroutine_state::running)) g->state.store(goroutine_state::running);
    leaving(self.base_fiber, g->fiber, false);
    runnel_switch(&self.base_sp, g->sp, nullptr);
    arrived(self.base_fiber);
  }
}

bool park_thread(thread_agent& self, wait_reason reason, std::int64_t deadline) noexcept {
  if (self.locked != nullptr) give_processor_away();
  if (reason == wait_reason::sleep || !spin_for_signal(self)) {
    if (self.locked == nullptr)
      sleep(self, deadline);
    else
      sleep_off_stack(self, *self.locked, reason, deadline);
  }
  self.armed = false;
  return self.signal.exchange(thread_agent::no_signal) == thread_agent::signalled;
}

void ready(agent* who) noexcept {
  if (who->what == agent::kind::goroutine) [[likely]]
    ready_goroutine(*static_cast<goroutine*>(who));
  else
    ready_thread(*static_cast<thread_agent*>(who));
}

void throw_deadlock() { throw deadlock_error(); }

void park_forever(wait_reason reason) {
  while (park(
      reason, [](void*) {}, nullptr)) {
  }
  throw_deadlock();
}

goroutine* this_goroutine_or_null() noexcept {
  if (processor* p = current_processor(); p != nullptr && p->current != nullptr) return p->current;
  return this_thread()->locked;
}

const char* wait_reason_text(wait_reason r) noexcept {
  switch (r) {
    case wait_reason::none:
      return "waiting";
    case wait_reason::chan_receive:
      return "chan receive";
    case wait_reason::chan_send:
      return "chan send";
    case wait_reason::select:
      return "select";
    case wait_reason::select_no_cases:
      return "select (no cases)";
    case wait_reason::chan_receive_nil:
      return "chan receive (nil chan)";
    case wait_reason::chan_send_nil:
      return "chan send (nil chan)";
    case wait_reason::sleep:
      return "sleep";
    case wait_reason::mutex_lock:
      return "sync.Mutex.Lock";
    case wait_reason::shared_mutex_rlock:
      return "sync.RWMutex.RLock";
    case wait_reason::shared_mutex_lock:
      return "sync.RWMutex.Lock";
    case wait_reason::cond_wait:
      return "sync.Cond.Wait";
    case wait_reason::wait_group_wait:
      return "sync.WaitGroup.Wait";
    case wait_reason::semacquire:
      return "semacquire";
    case wait_reason::io_wait:
      return "IO wait";
  }
  return "waiting";
}

}  // namespace runnel::detail
