// The shared mutex's slow paths.
//
// The state holds two bits, the number of shares, and the number of shares that are left to be let go.
//   open (neither bit)   every share that is counted is in use.
//   closed               a reader that comes is counted too, but has to ask here, under the queues' lock. While readers
//                        have it, shares_left() says how many do: each that lets go counts it down in the same step, and
//                        who makes it zero, of whom there is one, passes the mutex on. Nobody else opens it or takes it
//                        until he has come. (While it is open that number means nothing.)
//   writer               nobody has a share. Who unlocks it looks here for others, if any are counted or it is closed.
// The bits are changed under the queues' lock, but for a writer that comes when nobody is counted and goes when nobody
// is. Who is in a queue is not counted. When the mutex is opened, readers that are counted and have not yet come here
// have shares like all others: `granted_` says so to as many as come.
//
// The last reader passes the mutex on to the writer that waits for him. A writer that unlocks opens it and wakes all
// readers and one writer, which compete with newcomers, which run already: were it theirs before they run, all who come
// meanwhile would have to wait, and never cease to. Whoever has lost so for longer than `starvation` is handed it, and a
// waiter of a select always is, because it cannot come back and try again. While a writer competes the mutex may be open
// with others in the queue: it will close it.
//
// Whoever is handed it owns it, and the one who wakes him does not touch the mutex any more.
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
    std::uint64_t next = taken();
    if (!free) next = (s & writer) != 0 ? s | closed : closed + shares(s) * (share + left);
    if (state_.compare_exchange_weak(s, next, std::memory_order_acquire, std::memory_order_relaxed))
      return free;
  }
}

// Under the queues' lock. The state of a mutex that a writer has and nobody is counted in.
std::uint64_t shared_mutex::taken() const noexcept {
  return readers_.empty() && writers_.empty() ? writer : writer | closed;
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

// One wait, from the first try to the end.
struct shared_mutex::contender {
  waiter w;
  std::int64_t since = 0;  // when it began to queue; 0: it has not
  spinlock& lock;          // the queues'
};

bool shared_mutex::lock_slow(std::int64_t deadline) {
  if (is_past(deadline)) return try_lock();
  contender self{.w = {}, .lock = detail::queue_lock(this)};
  self.lock.lock();
  while (!take_or_close()) {
    const outcome end = sleep_in(writers_, wait_reason::shared_mutex_lock, self, deadline);
    if (end != outcome::competes) return end == outcome::owns;
    self.lock.lock();
    writer_competes_ = false;
  }
  self.lock.unlock();
  return true;
}

bool shared_mutex::lock_shared_slow(std::int64_t deadline, registered is_registered) {
  if (is_past(deadline)) return try_lock_shared();
  contender self{.w = {}, .lock = detail::queue_lock(this)};
  self.lock.lock();
  while (!is_granted(is_registered) && !share_or_close(is_registered)) {
    const outcome end = sleep_in(readers_, wait_reason::shared_mutex_rlock, self, deadline);
    if (end != outcome::competes) return end == outcome::owns;
    self.lock.lock();
    is_registered = registered::no;
  }
  self.lock.unlock();
  return true;
}

// Called with the queues' lock held; releases it.
shared_mutex::outcome shared_mutex::sleep_in(detail::wait_queue& queue, wait_reason reason,
                                             contender& self, std::int64_t deadline) {
  const std::int64_t now = detail::rough_now_ns();
  waiter& w = self.w;
  w.who = detail::this_agent();
  w.ok = false;
  const bool is_new = self.since == 0;
  if (is_new) self.since = now;
  w.slot = now - self.since > detail::starvation ? nullptr : &w;  // it competes
  is_new ? queue.push_back(w) : queue.push_front(w);
  detail::claim_word claim{detail::unclaimed};
  const wait_end end = detail::park_in(reason, self.lock, w, claim, deadline);
  if (end == wait_end::woken) return w.ok ? outcome::owns : outcome::competes;
  wake_list woken;
  self.lock.lock();
  leave_queue(w, woken);
  self.lock.unlock();
  woken.ready_all();
  if (end == wait_end::deadlocked) detail::throw_deadlock();
  return outcome::gave_up;
}

// Under the queues' lock. All readers that wait are woken; how many have been handed a share.
std::uint32_t shared_mutex::wake_readers(bool all_are_handed_it, wake_list& woken) noexcept {
  std::uint32_t n = 0;
  while (waiter* r = readers_.pop()) {
    r->ok = all_are_handed_it || r->slot == nullptr;
    n += r->ok ? 1 : 0;
    woken.add(*r);
  }
  return n;
}

// Under the queues' lock, by who passes it on: `n` shares more, and `bits` in place of what stood beside the shares. How
// many there were.
std::uint32_t shared_mutex::pass(std::uint32_t n, std::uint64_t bits) noexcept {
  std::uint64_t s = state_.load(std::memory_order_relaxed);
  // acquire: pairs with the releases of the readers that were not the last. release: with the acquires of who has it next
  while (!state_.compare_exchange_weak(s, (shares(s) + n) * share + bits, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
  }
  return shares(s);
}

// Under the queues' lock.
void shared_mutex::hand_to_writer(waiter& next, wake_list& woken) noexcept {
  next.ok = true;
  woken.add(next);
  (void)pass(0, taken());
}

// Under the queues' lock. `handed` readers have shares now, as have all that are counted. Not touched after that if there
// are none of them.
void shared_mutex::open(std::uint32_t handed) noexcept {
  if (const std::uint32_t counted = pass(handed, 0); counted > 0) granted_ += counted;
}

// Under the queues' lock, by the writer that unlocks. Before a writer that has to be handed it come the readers that wait,
// so that neither side starves the other.
void shared_mutex::pass_on_from_writer(wake_list& woken) noexcept {
  const bool handed_next = !writers_.empty() && writers_.front()->slot == nullptr;
  if (handed_next && !readers_.empty()) {
    const std::uint32_t n = wake_readers(true, woken);
    if (n > 0) return (void)pass(n, closed + n * left);
  }
  waiter* const next = handed_next || !writer_competes_ ? writers_.pop() : nullptr;
  if (next != nullptr && next->slot == nullptr) return hand_to_writer(*next, woken);
  if (next != nullptr) {
    writer_competes_ = true;
    woken.add(*next);
  }
  open(wake_readers(false, woken));
}

// Under the queues' lock, by the reader that was the last.
void shared_mutex::pass_on_from_readers(wake_list& woken) noexcept {
  if (waiter* const next = writers_.pop()) return hand_to_writer(*next, woken);
  open(wake_readers(true, woken));
}

void shared_mutex::unlock_slow() noexcept {
  wake_list woken;
  spinlock& lock = detail::queue_lock(this);
  lock.lock();
  if ((state_.load(std::memory_order_relaxed) & writer) == 0) fail_unlock(lock);
  pass_on_from_writer(woken);
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
  pass_on_from_readers(woken);
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
    r->ok = true;
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
