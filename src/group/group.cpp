// Places: `active_` counts the goroutines of the group and the places handed to callers that are
// about to start one. A place that becomes free goes straight to the caller that has waited
// longest, so nobody overtakes it.
#include <runnel/group.hpp>
#include <stdexcept>
#include <string>

#include "sched/scheduler.hpp"

namespace runnel {

namespace {

// Waits for `w`, which was put into a queue under `mu`; the lock is released.
void park_in(detail::wait_reason reason, detail::spinlock& mu, detail::wait_queue& queue,
             detail::waiter& w) {
  if (detail::park(reason, mu)) return;
  mu.lock();
  queue.remove(w);
  mu.unlock();
  detail::throw_deadlock();
}

// A waiter is gone once its agent is ready.
void ready_all(detail::waiter* list) noexcept {
  while (list != nullptr) {
    detail::waiter* const w = list;
    list = w->next;
    detail::ready(w->who);
  }
}

}  // namespace

group::group(const context& parent) {
  auto made = with_cancel(parent);
  ctx_ = std::move(made.ctx);
  cancel_ = std::move(made.cancel);
}

group::~group() {
  cancel_();
  if (detail::sched.stopping.load()) return;  // the process ends, and nobody runs any more
  wait_all();
}

// Callers that wait although nobody is active wait because of a limit of zero.
void group::set_limit(int n) {
  detail::waiter* admitted = nullptr;
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

bool group::try_enter() {
  mu_.lock();
  const bool free = limit_ < 0 || active_ < limit_;
  if (free) ++active_;
  mu_.unlock();
  return free;
}

void group::enter() {
  mu_.lock();
  if (limit_ < 0 || active_ < limit_) {
    ++active_;
    mu_.unlock();
    return;
  }
  detail::waiter w;
  w.who = detail::this_agent();
  entering_.push_back(w);
  park_in(detail::wait_reason::semacquire, mu_, entering_, w);
}

// After its last unlock the group may be gone.
void group::leave(error e) noexcept {
  if (e) {
    mu_.lock();
    const bool is_first = !first_;
    if (is_first) first_ = e;
    mu_.unlock();
    if (is_first) cancel_(std::move(e));
  }
  mu_.lock();
  if (detail::waiter* next = entering_.pop()) {  // takes over the place
    mu_.unlock();
    detail::ready(next->who);
    return;
  }
  detail::waiter* woken = nullptr;
  if (--active_ == 0) {
    while (detail::waiter* w = waiting_.pop()) {
      w->next = woken;
      woken = w;
    }
  }
  mu_.unlock();
  ready_all(woken);
}

// Gives places to those who wait for one, as far as there are places; they are to be made ready
// without the lock.
detail::waiter* group::admit_locked() noexcept {
  detail::waiter* admitted = nullptr;
  while (limit_ < 0 || active_ < limit_) {
    detail::waiter* const w = entering_.pop();
    if (w == nullptr) break;
    ++active_;
    w->next = admitted;
    admitted = w;
  }
  return admitted;
}

void group::wait_all() {
  mu_.lock();
  if (active_ == 0) {
    mu_.unlock();
    return;
  }
  detail::waiter w;
  w.who = detail::this_agent();
  waiting_.push_back(w);
  park_in(detail::wait_reason::wait_group_wait, mu_, waiting_, w);
}

error group::wait() {
  wait_all();
  mu_.lock();
  error first = first_;
  mu_.unlock();
  cancel_(first);
  return first;
}

}  // namespace runnel
