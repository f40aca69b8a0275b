#include <runnel/condition_variable.hpp>

#include <sched.h>

#include <mutex>

#include <runnel/detail/queue_lock.hpp>

#include "sync/waiters.hpp"

namespace runnel::detail {

namespace {

// What wins a waiter's claim, beside claimed_by_timeout.
constexpr std::uint32_t claimed_by_notify = 1;  // a waiter's index + 1
constexpr std::uint32_t claimed_by_cancel = 2;

using phase = cond_waiter::phase;

// By the winner of the claim. Unless it was parked, the waiter may be gone after the exchange.
void settle(cond_waiter& w) noexcept {
  agent* const who = w.who;
  if (w.state.exchange(phase::settled) == phase::parked) ready(who);
}

// Runs once the waiter is off its stack. Who has settled it before that has left it to us to make it ready.
void announce_parked(void* arg) noexcept {
  auto& w = *static_cast<cond_waiter*>(arg);
  agent* const who = w.who;
  phase expected = phase::listed;
  if (!w.state.compare_exchange_strong(expected, phase::parked)) ready(who);
}

// A timer may wake the waiter before announce_parked() has had its last look at it, on another processor and a few
// instructions away.
void await_announced(const cond_waiter& w) noexcept {
  while (w.state.load() == phase::listed) sched_yield();
}

bool claim_as(cond_waiter& w, std::uint32_t who) noexcept {
  std::uint32_t expected = unclaimed;
  return w.claimed.compare_exchange_strong(expected, who);
}

// The winner of the claim is about to settle it.
void await_settled(cond_waiter& w) noexcept {
  if (w.state.load() != phase::settled) (void)park(wait_reason::cond_wait, &announce_parked, &w);
}

}  // namespace

void cond_core::enlist(cond_waiter& w) noexcept {
  w.who = this_agent();
  w.claim = &w.claimed;
  w.index = claimed_by_notify - 1;
  const std::lock_guard guard(queue_lock(this));
  waiters_.push_back(w);
}

// True: nobody else has claimed it, and nobody will touch it any more. Who has been notified may find the condition
// variable gone: it is not in the queue any more, and the lock is not a part of it.
bool cond_core::give_up(cond_waiter& w) noexcept {
  {
    const std::lock_guard guard(queue_lock(this));
    waiters_.remove(w);
  }
  return claim_as(w, claimed_by_timeout) || w.claimed.load() == claimed_by_timeout;
}

bool cond_core::sleep(cond_waiter& w, std::int64_t deadline) {
  if (w.state.load() != phase::settled) {
    bool settled = true;
    if (deadline == never) {
      settled = park(wait_reason::cond_wait, &announce_parked, &w);
    } else if (has_come(deadline)) {
      if (!give_up(w)) await_settled(w);
    } else {
      settled = park_until(wait_reason::cond_wait, &announce_parked, &w, w.claimed, deadline);
      if (w.claimed.load() == claimed_by_timeout) {
        await_announced(w);
        (void)give_up(w);
      }
    }
    if (!settled) {
      (void)give_up(w);
      throw_deadlock();
    }
  }
  return w.claimed.load() == claimed_by_notify;
}

void cond_core::cancel(cond_waiter& w) noexcept {
  {
    const std::lock_guard guard(queue_lock(this));
    if (!claim_as(w, claimed_by_cancel)) return;
    waiters_.remove(w);
  }
  settle(w);
}

void cond_core::withdraw(cond_waiter& w) noexcept {
  if (give_up(w)) return;
  const bool notified = w.claimed.load() == claimed_by_notify;
  await_settled(w);
  if (notified) notify_one();  // meant for somebody who waits
}

void cond_core::notify_first() noexcept {
  spinlock& lock = queue_lock(this);
  lock.lock();
  waiter* const w = waiters_.pop();
  lock.unlock();
  if (w != nullptr) settle(static_cast<cond_waiter&>(*w));
}

void cond_core::notify_each() noexcept {
  wake_list woken;
  spinlock& lock = queue_lock(this);
  lock.lock();
  woken.add_all(waiters_);
  lock.unlock();
  woken.for_each([](waiter& w) { settle(static_cast<cond_waiter&>(w)); });
}

}  // namespace runnel::detail
