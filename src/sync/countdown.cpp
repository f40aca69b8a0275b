#include <runnel/detail/countdown.hpp>

#include <runnel/detail/queue_lock.hpp>

#include "sync/waiters.hpp"

namespace runnel::detail {

// Misuse: others may have seen the counter below zero meanwhile and be waiting for it to come back.
bool countdown::undo(std::int64_t n) noexcept {
  const std::uint64_t old = state_.fetch_add(static_cast<std::uint64_t>(n) << shift);
  if (counter(old) + n == 0 && (old & awaited) != 0) release_waiters();
  return false;
}

void countdown::release_waiters() noexcept {
  wake_list woken;
  spinlock& lock = queue_lock(this);
  lock.lock();
  woken.add_all(waiters_);
  // release: pairs with the acquire in is_zero(). Nothing of the object is touched after it.
  state_.fetch_and(~awaited, std::memory_order_acq_rel);
  lock.unlock();
  woken.ready_all();
}

// Under the queue's lock. True: the flag is set, and whoever clears it looks into the queue.
bool countdown::must_wait() noexcept {
  std::uint64_t s = state_.load(std::memory_order_acquire);  // pairs with decrease()
  while (s != 0 && (s & awaited) == 0) {
    if (state_.compare_exchange_weak(s, s | awaited, std::memory_order_acq_rel,
                                     std::memory_order_acquire))
      return true;
  }
  return s != 0;
}

// Under the queue's lock. False: the last decrement is on its way to the queue, and the object must not be left
// before it has been there.
bool countdown::give_up(waiter& w) noexcept {
  waiters_.remove(w);
  std::uint64_t s = state_.load(std::memory_order_acquire);  // pairs with decrease()
  while (counter(s) != 0) {
    if (!waiters_.empty() || state_.compare_exchange_weak(s, s & ~awaited)) return true;
  }
  return s == 0;
}

bool countdown::wait_slow(wait_reason reason, std::int64_t deadline) {
  waiter w;
  w.who = this_agent();
  claim_word claim{unclaimed};
  spinlock& lock = queue_lock(this);
  if (deadline != never && has_come(deadline)) {
    check_attention();
    if (counter(state_.load(std::memory_order_acquire)) != 0) return false;
    deadline = never;
  }
  lock.lock();
  for (;;) {
    if (!must_wait()) {
      lock.unlock();
      return true;
    }
    waiters_.push_back(w);
    const wait_end end = park_in(reason, lock, w, claim, deadline);
    if (end == wait_end::woken) return true;
    lock.lock();
    const bool gone = give_up(w);
    if (gone || end == wait_end::deadlocked) {
      const bool zero = state_.load(std::memory_order_acquire) == 0;
      lock.unlock();
      if (end == wait_end::deadlocked) throw_deadlock();
      return zero;
    }
    deadline = never;  // not for long: the waiters are being released
  }
}

spinlock* countdown_case::lock() noexcept { return &queue_lock(countdown_); }

// A miss leaves the flag set, so that the counter cannot reach zero unnoticed before enqueue(). Where no enqueue()
// follows, the last decrement finds an empty queue.
bool countdown_case::try_now(agent*&) noexcept { return !countdown_->must_wait(); }

void countdown_case::enqueue(waiter& w) noexcept { countdown_->waiters_.push_back(w); }

// Zero with the flag set needs no care here: who then waits for the counter waits for the flag, too.
void countdown_case::dequeue(waiter& w) noexcept { (void)countdown_->give_up(w); }

}  // namespace runnel::detail
