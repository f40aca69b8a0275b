#include <runnel/barrier.hpp>

#include <stdexcept>

#include "sync/waiters.hpp"

namespace runnel::detail {

barrier_core::barrier_core(std::ptrdiff_t expected, std::ptrdiff_t max)
    : expected_(expected), missing_(expected) {
  if (expected < 0 || expected > max) throw std::invalid_argument("barrier count out of range");
}

bool barrier_core::arrive(std::ptrdiff_t n, std::uint64_t& phase) {
  if (n <= 0) throw std::invalid_argument("barrier arrivals must be positive");
  lock_.lock();
  if (n > missing_) {
    lock_.unlock();
    throw std::logic_error("more barrier arrivals than expected");
  }
  phase = phase_;
  missing_ -= n;
  const bool last = missing_ == 0;
  lock_.unlock();
  return last;
}

void barrier_core::drop() {
  lock_.lock();
  const bool possible = expected_ > 0;
  if (possible) --expected_;
  lock_.unlock();
  if (!possible) throw std::logic_error("more barrier arrivals than expected");
}

void barrier_core::next_phase() noexcept {
  wake_list woken;
  lock_.lock();
  ++phase_;
  missing_ = expected_;
  woken.add_all(waiters_);
  lock_.unlock();
  woken.ready_all();
}

void barrier_core::wait(std::uint64_t phase) {
  waiter w;
  w.who = this_agent();
  lock_.lock();
  if (phase_ != phase) {
    lock_.unlock();
    return;
  }
  waiters_.push_back(w);
  if (park(wait_reason::semacquire, lock_)) return;
  lock_.lock();
  waiters_.remove(w);
  lock_.unlock();
  throw_deadlock();
}

}  // namespace runnel::detail
