// Places: `active_` counts the goroutines of the group and the places handed to callers that are
// about to start one. A place that becomes free goes straight to the caller that has waited
// longest, so nobody overtakes it.
#include <runnel/group.hpp>
#include <stdexcept>
#include <string>

#include "sched/sanitizer.hpp"
#include "sched/scheduler.hpp"

namespace runnel {
namespace detail {
namespace {

// Waits for `w`, which was put into a queue under `mu`; the lock is released.
void park_in(wait_reason reason, spinlock& mu, wait_queue& queue, waiter& w) {
  if (park(reason, mu)) return;
  mu.lock();
  queue.remove(w);
  mu.unlock();
  throw_deadlock();
}

// A waiter is gone once its agent is ready.
void ready_all(waiter* list) noexcept {
  while (list != nullptr) {
    waiter* const w = list;
    list = w->next;
    ready(w->who);
  }
}

}  // namespace

group_state::group_state(const context& parent) {
  auto made = with_cancel(parent);
  ctx_ = std::move(made.ctx);
  cancel_ = std::move(made.cancel);
}

// Callers that wait although nobody is active wait because of a limit of zero.
void group_state::set_limit(int n) {
  waiter* admitted = nullptr;
  mu_.lock();
  const int active = active_;
  if (active == 0) {
    limit_ = n;
    admitted = admit_locked();
  }
  mu_.unlock();
  ready_all(admitted);
  if (active != 0) {
    throw std::logic_error("group: modify limit while " + std::to_string(active) +
                           " goroutines in the group are still active");
  }
}

bool group_state::try_enter() {
  mu_.lock();
  const bool free = limit_ < 0 || active_ < limit_;
  if (free) ++active_;
  mu_.unlock();
  return free;
}

void group_state::enter() {
  mu_.lock();
  if (limit_ < 0 || active_ < limit_) {
    ++active_;
    mu_.unlock();
    return;
  }
  waiter w;
  w.who = this_agent();
  entering_.push_back(w);
  park_in(wait_reason::semacquire, mu_, entering_, w);
}

// After its last unlock the group may be gone.
void group_state::leave(error e) noexcept {
  if (e) {
    mu_.lock();
    const bool is_first = !first_;
    if (is_first) first_ = e;
    mu_.unlock();
    if (is_first) cancel_(std::move(e));
  }
  mu_.lock();
  if (waiter* next = entering_.pop()) {  // takes over the place
    mu_.unlock();
    ready(next->who);
    return;
  }
  waiter* woken = nullptr;
  if (--active_ == 0) {
    while (waiter* w = waiting_.pop()) {
      w->next = woken;
      woken = w;
    }
  }
  mu_.unlock();
  ready_all(woken);
}

// Gives places to those who wait for one, as far as there are places; they are to be made ready
// without the lock.
waiter* group_state::admit_locked() noexcept {
  waiter* admitted = nullptr;
  while (limit_ < 0 || active_ < limit_) {
    waiter* const w = entering_.pop();
    if (w == nullptr) break;
    ++active_;
    w->next = admitted;
    admitted = w;
  }
  return admitted;
}

void group_state::wait_all() {
  mu_.lock();
  if (active_ == 0) {
    mu_.unlock();
    return;
  }
  waiter w;
  w.who = this_agent();
  waiting_.push_back(w);
  park_in(wait_reason::wait_group_wait, mu_, waiting_, w);
}

error group_state::wait() {
  wait_all();
  mu_.lock();
  error first = first_;
  mu_.unlock();
  cancel_(first);
  return first;
}

}  // namespace detail

group::group(const context& parent) : state_(std::make_unique<detail::group_state>(parent)) {}

// Where the goroutines cannot end, what they share must not either.
group::~group() {
  state_->cancel();
  if (detail::sched.stopping.load()) {  // the process ends, and nobody runs any more
    detail::keep_for_ever(state_.release());
    return;
  }
  try {
    state_->wait_all();
  } catch (const deadlock_error&) {
    detail::keep_for_ever(state_.release());
  }
}

}  // namespace runnel
