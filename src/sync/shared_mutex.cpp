// The shared mutex's slow paths.
//
// The state holds two bits, the number of shares, and the number of shares that are left to be let go.
//   open (neither bit)   every share that is counted is in use.
//   closed               a reader that comes is counted too, but has to ask here, under the queues' lock. While readers
//                        have it, shares_left() says how many do: each that lets go counts it down in the same step, and
//                        who makes it zero, of whom there is one, passes the mutex on. Nobody else opens it or takes it
//                        until he has come. (While it is open that number means nothing.)
//   writer               nobody has a share. Who unlocks it passes it on, if others are counted or it is closed.
// The bits are changed under the queues' lock, but for a writer that comes when nobody is counted and goes when nobody
// is. Who is in a queue is not counted. When the mutex is opened, readers that are counted and have not yet come here
// have shares like all others: `granted_` says so to as many as come.
//
// A mutex is passed on to all readers that wait or to the first writer, so that it is never free while somebody waits.
// Whoever is woken owns it, and the one who wakes him does not touch the mutex any more.
#include <runnel/shared_mutex.hpp>

#include <mutex>

#include <runnel/detail/queue_lock.hpp>

#include "sync/waiters.hpp"

namespace runnel {

using detail::spinlock;
using detail::wait_end;
using detail::wait_reason;
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

// Under the queues' lock. False: somebody has it, and letting it go will look into the queues.
bool shared_mutex::take_or_close() noexcept {
  std::uint64_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    if ((s & closed) != 0) return false;
    const bool free = static_cast<std::uint32_t>(s) == 0;
    std::uint64_t next = writer;
    if (!free) next = (s & writer) != 0 ? s | closed : closed + shares(s) * (share + left);
    if (state_.compare_exchange_weak(s, next, std::memory_order_acquire, std::memory_order_relaxed))
      return free;
  }
}

// Under the queues' lock. Opens a mutex that readers have and no writer waits for.
bool shared_mutex::share_if_open(registered is_registered) noexcept {
  const auto counted = static_cast<std::uint32_t>(is_registered);
  std::uint64_t s = state_.load(std::memory_order_relaxed);
  for (;;) {
    const bool is_open = (s & (writer | closed)) == 0;
    const bool may_open = (s & writer) == 0 && shares_left(s) > 0 && writers_.empty();
    if (!is_open && !may_open) return false;
    if (!state_.compare_exchange_weak(s, (shares(s) + 1 - counted) * share,
                                      std::memory_order_acquire, std::memory_order_relaxed))
      continue;
    if (!is_open) granted_ += shares(s) - shares_left(s) - counted;
    return true;
  }
}

// Under the queues' lock. False: as take_or_close(), and the caller is not counted any more.
bool shared_mutex::share_or_close(registered is_registered) noexcept {
  for (;;) {
    if (share_if_open(is_registered)) return true;
    std::uint64_t s = state_.load(std::memory_order_relaxed);
    if ((s & (writer | closed)) == 0) continue;
    const std::uint64_t next = s - static_cast<std::uint64_t>(is_registered) * share;
    if (state_.compare_exchange_weak(s, next | closed, std::memory_order_relaxed)) return false;
  }
}

// Under the queues' lock.
bool shared_mutex::is_granted(registered is_registered) noexcept {
  if (is_registered == registered::no || granted_ == 0) return false;
  --granted_;
  return true;
}

bool shared_mutex::try_lock_shared_slow() noexcept {
  if ((state_.load(std::memory_order_relaxed) & writer) != 0) return false;
  const std::lock_guard guard(detail::queue_lock(this));
  return share_if_open(registered::no);
}

bool shared_mutex::lock_slow(std::int64_t deadline) {
  if (is_past(deadline)) return try_lock();
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  if (!take_or_close()) return sleep_in(writers_, wait_reason::shared_mutex_lock, lock, deadline);
  lock.unlock();
  return true;
}

bool shared_mutex::lock_shared_slow(std::int64_t deadline, registered is_registered) {
  if (is_past(deadline)) return try_lock_shared();
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  if (!is_granted(is_registered) && !share_or_close(is_registered))
    return sleep_in(readers_, wait_reason::shared_mutex_rlock, lock, deadline);
  lock.unlock();
  return true;
}

// Called with the queues' lock held; releases it. False: `deadline` came first.
bool shared_mutex::sleep_in(detail::wait_queue& queue, wait_reason reason, spinlock& lock,
                            std::int64_t deadline) {
  waiter w;
  w.who = detail::this_agent();
  queue.push_back(w);
  detail::claim_word claim{detail::unclaimed};
  const wait_end end = detail::park_in(reason, lock, w, claim, deadline);
  if (end == wait_end::woken) return true;
  wake_list woken;
  lock.lock();
  leave_queue(w, woken);
  lock.unlock();
  woken.ready_all();
  if (end == wait_end::deadlocked) detail::throw_deadlock();
  return false;
}

// Under the queues' lock, by the one who has to: the writer that unlocks, or the reader that was the last.
void shared_mutex::pass_on(bool readers_first, wake_list& woken) noexcept {
  if ((!readers_first || readers_.empty()) && pass_to_writer(woken)) return;
  std::uint32_t n = 0;
  while (waiter* r = readers_.pop()) {
    woken.add(*r);
    ++n;
  }
  if (n > 0 || !pass_to_writer(woken)) pass_to_readers(n);
}

bool shared_mutex::pass_to_writer(wake_list& woken) noexcept {
  waiter* const next = writers_.pop();
  if (next == nullptr) return false;
  woken.add(*next);
  const std::uint64_t bits = writer | (readers_.empty() && writers_.empty() ? 0 : closed);
  std::uint64_t s = state_.load(std::memory_order_relaxed);
  // acquire, here and below: pairs with the releases of the readers that were not the last. release: with the acquires of
  // who has it next
  while (!state_.compare_exchange_weak(s, shares(s) * share + bits, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
  }
  return true;
}

// To `woken_readers`, and, if no writer waits, to all that are counted. Not touched after that if there are none of them.
void shared_mutex::pass_to_readers(std::uint32_t woken_readers) noexcept {
  const bool opens = writers_.empty();
  const std::uint64_t bits = opens ? 0 : closed + woken_readers * left;
  std::uint64_t s = state_.load(std::memory_order_relaxed);
  while (!state_.compare_exchange_weak(s, (shares(s) + woken_readers) * share + bits,
                                       std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
  if (opens && shares(s) > 0) granted_ += shares(s);
}

void shared_mutex::unlock_slow() noexcept {
  wake_list woken;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  if ((state_.load(std::memory_order_relaxed) & writer) == 0) fail_unlock(lock);
  pass_on(true, woken);
  lock.unlock();
  woken.ready_all();
}

// By a reader that has let go; `before` is what the state was then. The mutex may be gone if he was not the last.
void shared_mutex::unlock_shared_slow(std::uint64_t before) noexcept {
  if ((before & writer) != 0 || shares(before) == 0 || shares_left(before) == 0)
    detail::fatal("unlock of unlocked shared_mutex");
  if (shares_left(before) > 1) return;
  wake_list woken;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  pass_on(false, woken);
  lock.unlock();
  woken.ready_all();
}

// Under the queues' lock, by a waiter that gives up. Readers that waited only for it go ahead.
void shared_mutex::leave_queue(waiter& w, wake_list& woken) noexcept {
  readers_.remove(w);
  writers_.remove(w);
  if (readers_.empty() || !share_if_open(registered::no)) return;
  while (waiter* r = readers_.pop()) {
    state_.fetch_add(share, std::memory_order_relaxed);
    woken.add(*r);
  }
  state_.fetch_sub(share + left, std::memory_order_release);  // it was there so that no writer came
}

namespace detail {

spinlock* shared_mutex_case::lock() noexcept { return &queue_lock(mutex_); }

// A miss leaves it closed, as a mutex's does; who lets it go then finds empty queues, and a reader that comes opens it.
bool shared_mutex_case::try_now(agent*&) noexcept {
  return share_ ? mutex_->share_or_close(shared_mutex::registered::no) : mutex_->take_or_close();
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
