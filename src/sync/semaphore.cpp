#include <runnel/semaphore.hpp>

#include <stdexcept>

#include "sync/waiters.hpp"

namespace runnel {

namespace {

std::int64_t& wanted(const detail::waiter& w) noexcept {
  return *static_cast<std::int64_t*>(w.slot);
}

}  // namespace

std::int64_t semaphore::checked_size(std::int64_t n) {
  if (n < 0) throw std::invalid_argument("negative semaphore size");
  return n;
}

void semaphore::check_request(std::int64_t n) const {
  if (n < 0) throw_negative();
  if (n > size_) throw std::invalid_argument("semaphore request exceeds its size");
}

void semaphore::throw_negative() { throw std::invalid_argument("negative semaphore request"); }

void semaphore::acquire_slow(std::int64_t n) {
  check_request(n);
  detail::waiter w;
  w.who = detail::this_agent();
  w.slot = &n;
  lock_.lock();
  if (n <= free_ && waiters_.empty()) {
    free_ -= n;
    lock_.unlock();
    return;
  }
  waiters_.push_back(w);
  if (detail::park(detail::wait_reason::semacquire, lock_)) return;
  detail::wake_list woken;
  lock_.lock();
  waiters_.remove(w);
  grant(woken);
  lock_.unlock();
  woken.ready_all();
  detail::throw_deadlock();
}

// Takes over the lock.
void semaphore::release_slow(std::int64_t n) {
  if (n > size_ - free_) {
    lock_.unlock();
    throw std::logic_error("semaphore released more than held");
  }
  detail::wake_list woken;
  free_ += n;
  grant(woken);
  lock_.unlock();
  woken.ready_all();
}

// Under the lock: the longest waiting are served as long as there is enough for the next.
void semaphore::grant(detail::wake_list& woken) noexcept {
  while (detail::waiter* w = waiters_.front()) {
    const std::int64_t n = wanted(*w);
    if (n > free_) return;
    waiters_.remove(*w);
    if (!w->try_claim()) continue;
    free_ -= n;
    woken.add(*w);
  }
}

namespace detail {

bool semaphore_case::try_now(agent*&) noexcept {
  const bool got = wanted_ <= semaphore_->free_ && semaphore_->waiters_.empty();
  if (got) semaphore_->free_ -= wanted_;
  return got;
}

void semaphore_case::enqueue(waiter& w) noexcept {
  w.slot = &wanted_;
  semaphore_->waiters_.push_back(w);
}

// What the one who gives up has held up goes ahead. Made ready with locks held: nobody who is ready waits for the one
// that does it, and it is rare.
void semaphore_case::dequeue(waiter& w) noexcept {
  wake_list woken;
  semaphore_->waiters_.remove(w);
  semaphore_->grant(woken);
  woken.ready_all();
}

}  // namespace detail
}  // namespace runnel
