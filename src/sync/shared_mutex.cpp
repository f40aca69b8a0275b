// The shared mutex's slow paths.
//
// While `queued` is set no fast path changes the word: what happens next is decided under the queues' lock, by whoever
// holds the mutex and lets go. He passes it on, to all readers that wait or to the first writer, so that it is never
// free while somebody waits. Whoever is woken owns it, and the one who wakes him does not touch the mutex any more.
#include <runnel/shared_mutex.hpp>

#include <runnel/detail/queue_lock.hpp>

#include "sync/waiters.hpp"

namespace runnel {

using detail::spinlock;
using detail::wait_end;
using detail::waiter;
using detail::wake_list;

namespace {

bool is_past(std::int64_t deadline) noexcept {
  return deadline != detail::never && detail::has_come(deadline);
}

[[noreturn]] void fail_unlock(spinlock& lock) noexcept {
  lock.unlock();
  detail::fatal("unlock of unlocked shared_mutex");
}

}  // namespace

// Under the queues' lock. False: somebody has it, and unlocking will look into the queues.
bool shared_mutex::take_or_flag() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool free = (s & ~queued) == 0;
    if (state_.compare_exchange_weak(s, s | (free ? writer : queued), std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return free;
  }
}

// Under the queues' lock. The same for a share.
bool shared_mutex::share_or_flag() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool open = (s & writer) == 0 && writers_.empty();
    if (state_.compare_exchange_weak(s, open ? s + reader : s | queued, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return open;
  }
}

// Under the queues' lock.
bool shared_mutex::share_if_open() noexcept {
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  while ((s & writer) == 0 && writers_.empty()) {
    if (state_.compare_exchange_weak(s, s + reader, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      return true;
  }
  return false;
}

bool shared_mutex::try_lock_shared_slow() noexcept {
  if ((state_.load(std::memory_order_relaxed) & writer) != 0) return false;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  const bool got = share_if_open();
  lock.unlock();
  return got;
}

bool shared_mutex::lock_slow(std::int64_t deadline) {
  const bool late = is_past(deadline);
  waiter w;
  w.who = detail::this_agent();
  detail::claim_word claim{detail::unclaimed};
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  const bool got = take_or_flag();
  if (got || late) {
    lock.unlock();
    return got;
  }
  writers_.push_back(w);
  const wait_end end =
      detail::park_in(detail::wait_reason::shared_mutex_lock, lock, w, claim, deadline);
  if (end == wait_end::woken) return true;
  wake_list woken;
  lock.lock();
  leave_queue(w, woken);
  lock.unlock();
  woken.ready_all();
  if (end == wait_end::deadlocked) detail::throw_deadlock();
  return false;
}

bool shared_mutex::lock_shared_slow(std::int64_t deadline) {
  const bool late = is_past(deadline);
  waiter w;
  w.who = detail::this_agent();
  detail::claim_word claim{detail::unclaimed};
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  const bool got = share_or_flag();
  if (got || late) {
    lock.unlock();
    return got;
  }
  readers_.push_back(w);
  const wait_end end =
      detail::park_in(detail::wait_reason::shared_mutex_rlock, lock, w, claim, deadline);
  if (end == wait_end::woken) return true;
  wake_list woken;
  lock.lock();
  leave_queue(w, woken);
  lock.unlock();
  woken.ready_all();
  if (end == wait_end::deadlocked) detail::throw_deadlock();
  return false;
}

// Under the queues' lock, by the one who has the mutex (alone, or the last share) with `queued` set: nobody else
// changes the word.
void shared_mutex::pass_on(bool readers_first, wake_list& woken) noexcept {
  std::uint32_t next = 0;
  waiter* to = nullptr;
  if (!readers_first || readers_.empty()) to = writers_.pop();
  if (to != nullptr) {
    woken.add(*to);
    next = writer;
  } else {
    while (waiter* r = readers_.pop()) {
      woken.add(*r);
      next += reader;
    }
    if (next == 0 && (to = writers_.pop()) != nullptr) {
      woken.add(*to);
      next = writer;
    }
  }
  if (!readers_.empty() || !writers_.empty()) next |= queued;
  // release: pairs with the acquires that take the mutex. Not touched after it if nobody was woken.
  state_.store(next, std::memory_order_release);
}

void shared_mutex::unlock_slow() noexcept {
  wake_list woken;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  const std::uint32_t s = state_.load(std::memory_order_relaxed);
  if ((s & writer) == 0) fail_unlock(lock);
  pass_on(true, woken);
  lock.unlock();
  woken.ready_all();
}

void shared_mutex::unlock_shared_slow() noexcept {
  wake_list woken;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  std::uint32_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((s & writer) != 0 || s < reader) fail_unlock(lock);
    if ((s & queued) != 0 && s < 2 * reader) {
      pass_on(false, woken);
      break;
    }
    if (state_.compare_exchange_weak(s, s - reader, std::memory_order_release,
                                     std::memory_order_relaxed))
      break;
  }
  lock.unlock();
  woken.ready_all();
}

// Under the queues' lock, by a waiter that gives up. Readers that waited only for it go ahead.
void shared_mutex::leave_queue(waiter& w, wake_list& woken) noexcept {
  readers_.remove(w);
  writers_.remove(w);
  const std::uint32_t s = state_.load(std::memory_order_relaxed);
  if ((s & writer) == 0 && writers_.empty()) {
    while (waiter* r = readers_.pop()) {
      state_.fetch_add(reader, std::memory_order_acq_rel);
      woken.add(*r);
    }
  }
  if (readers_.empty() && writers_.empty()) state_.fetch_and(~queued, std::memory_order_relaxed);
}

namespace detail {

spinlock* shared_mutex_case::lock() noexcept { return &queue_lock(mutex_); }

// A miss leaves `queued` set, as a mutex's does; unlocking then finds empty queues.
bool shared_mutex_case::try_now(agent*&) noexcept {
  return share_ ? mutex_->share_or_flag() : mutex_->take_or_flag();
}

void shared_mutex_case::enqueue(waiter& w) noexcept {
  (share_ ? mutex_->readers_ : mutex_->writers_).push_back(w);
}

// Made ready with locks held: nobody who is ready waits for the one that does it, and it is rare.
void shared_mutex_case::dequeue(waiter& w) noexcept {
  wake_list woken;
  mutex_->leave_queue(w, woken);
  woken.ready_all();
}

}  // namespace detail
}  // namespace runnel
