// The mutex's slow paths.
//
// Unlocking subtracts `locked`, and a mutex without a flag is free then. With a flag it has `busy` too, which keeps it
// held: what is to be done for those who wait is done before `busy` is dropped in one last write, as from then on the
// next owner may destroy it. A waiter that is woken has to compete with newcomers, which run already; `woken` keeps
// unlocks from waking more than one meanwhile. One that has lost so for longer than `starvation` raises `starving`: then
// `locked` stays set and ownership passes down the queue. Waiters of a select are always handed it, because they cannot
// come back and try again.
#include <runnel/mutex.hpp>

#include <runnel/detail/queue_lock.hpp>

#include "base/cpu.hpp"
#include "base/lock_wait.hpp"
#include "sync/spin.hpp"
#include "sync/waiters.hpp"

namespace runnel {

using detail::agent;
using detail::never;
using detail::spinlock;
using detail::starvation;
using detail::wait_end;
using detail::waiter;

bool mutex::lock_slow(std::int64_t deadline) {
  waiter w;
  w.slot = &w;  // it competes; a select's has no slot
  detail::claim_word claim{detail::unclaimed};
  std::int64_t since = 0;  // when it began to queue
  bool awake = false;      // `woken` was set on our behalf
  std::uint64_t spins_began = 0;
  for (int spins = 0;;) {
    std::uint32_t s = state_.load(std::memory_order_relaxed);
    const std::uint32_t not_woken = awake ? ~woken : ~0u;
    if ((s & held) == 0) {
      if (state_.compare_exchange_weak(s, taken(s & not_woken), std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        if (spins == 1) detail::note_lock_wait(spins_began);  // fought over, and not held for long
        return true;
      }
      continue;
    }
    if ((s & starving) == 0 && spins < detail::most_spins && detail::spinning_pays()) {
      if (!awake && (s & (woken | queued)) == queued &&
          state_.compare_exchange_weak(s, s | busy | woken))
        awake = true;
      if (spins == 0) spins_began = detail::cpu_ticks();
      detail::spin_briefly();
      ++spins;
      continue;
    }
    const std::int64_t now = detail::now_ns();
    if (deadline <= now) {
      // The holder is still to unlock, and wakes another once the flag is gone.
      if (awake && !state_.compare_exchange_weak(s, s & not_woken)) continue;
      return false;
    }
    const bool starved = since != 0 && now - since > starvation;
    w.ok = false;
    w.who = detail::this_agent();
    spinlock& lock = detail::queue_lock(this);
    lock.lock();
    bool queueing = false;
    while ((s & held) != 0 && !queueing)
      queueing = state_.compare_exchange_weak(
          s, (s | busy | queued | (starved ? starving : 0)) & not_woken);
    if (!queueing) {
      lock.unlock();
      continue;
    }
    awake = false;
    if (since == 0) {
      since = now;
      waiters_.push_back(w);
    } else {
      waiters_.push_front(w);
    }
    const wait_end end = detail::park_in(detail::wait_reason::mutex_lock, lock, w, claim, deadline);
    if (end != wait_end::woken) {
      lock.lock();
      leave_queue(w);
      lock.unlock();
      if (end == wait_end::deadlocked) detail::throw_deadlock();
      return lock_if_free();
    }
    if (w.ok) {
      // relaxed: handing over has ordered it before us
      if ((state_.load(std::memory_order_relaxed) & starving) != 0 &&
          detail::now_ns() - since <= starvation)
        state_.fetch_and(~starving, std::memory_order_relaxed);
      return true;
    }
    awake = true;
    spins = 0;
  }
}

void mutex::unlock_slow() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  if ((s & locked) != 0) detail::fatal("unlock of unlocked mutex");  // 1 less than an even number
  for (;;) {
    const bool nobody_to_wake = (s & queued) == 0 || (s & (woken | starving)) == woken;
    if (!nobody_to_wake) break;
    if (state_.compare_exchange_weak(s, s & ~busy, std::memory_order_release,
                                     std::memory_order_relaxed))
      return;
  }
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  agent* const next = hand_over();
  lock.unlock();
  if (next != nullptr) detail::ready(next);
}

// Under the queue's lock, by the owner. Null: nobody to wake.
agent* mutex::hand_over() noexcept {
  waiter* const w = waiters_.pop();
  const bool empty = waiters_.empty();
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool give = w != nullptr && ((s & starving) != 0 || w->slot == nullptr);
    std::uint32_t next = empty ? s & ~(queued | starving) : s;
    if (give) {
      next |= locked;
    } else {
      next &= ~busy;
      if (w != nullptr) next |= woken;
    }
    agent* const who = w != nullptr ? w->who : nullptr;
    if (w != nullptr) w->ok = give;
    // Unless `give`, the object is not touched after this. release: pairs with the acquire in lock()
    if (state_.compare_exchange_weak(s, next, std::memory_order_acq_rel, std::memory_order_relaxed))
      return who;
  }
}

// Under the queue's lock.
void mutex::leave_queue(waiter& w) noexcept {
  waiters_.remove(w);
  if (waiters_.empty()) state_.fetch_and(~(queued | starving), std::memory_order_relaxed);
}

bool mutex::lock_if_free() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  while ((s & held) == 0) {
    if (state_.compare_exchange_weak(s, taken(s), std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return true;
  }
  return false;
}

namespace detail {

spinlock* mutex_case::lock() noexcept { return &queue_lock(mutex_); }

// A miss leaves `queued` set, so that the mutex cannot be let go unnoticed before enqueue(). Where no enqueue()
// follows, unlocking finds an empty queue.
bool mutex_case::try_now(agent*&) noexcept {
  std::uint32_t s = mutex_->state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool free = (s & mutex::held) == 0;
    const std::uint32_t next = free ? mutex::taken(s) : s | mutex::busy | mutex::queued;
    if (mutex_->state_.compare_exchange_weak(s, next, std::memory_order_acquire,
                                             std::memory_order_relaxed))
      return free;
  }
}

void mutex_case::enqueue(waiter& w) noexcept {
  w.slot = nullptr;
  mutex_->waiters_.push_back(w);
}

void mutex_case::dequeue(waiter& w) noexcept { mutex_->leave_queue(w); }

}  // namespace detail
}  // namespace runnel
