// How many workers a pool has: by hand, and by load.
//
// By load: a task that finds nobody idle arms a timer. If, when it fires, no worker has found the
// queue empty in the meantime, tasks have been waiting all the time, and the pool grows, at most to
// twice its size. A steady load that the workers can carry empties the queue again and again and so
// never makes the pool grow; what a burst has added stays until it has been idle for idle_timeout.
// Idle workers are a stack, so surplus ones are not kept awake in turn.
//
// A task that is turned away (refused, or run by its adder) would have waited, and arms the timer
// too. If, when it fires, one has been turned away for which no worker has been free since, the
// pool lacked a worker then and lacks one now, and grows by one: how many tasks there were is not
// known, as one may have been tried again and again.
#include <algorithm>
#include <runnel/time.hpp>

#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

namespace {
constexpr std::chrono::milliseconds growth_delay{1};
}

void pool_core::set_size_locked(int n) noexcept {
  size_ = auto_size_ ? std::clamp(n, options_.min_size, options_.max_size) : std::max(n, 1);
  capacity_ = static_cast<std::size_t>(size_) + static_cast<std::size_t>(options_.queue);
  if (backlog_locked()) watch_backlog_locked();
}

int pool_core::size() const {
  mu_.lock();
  const int n = size_;
  mu_.unlock();
  return n;
}

void pool_core::resize(int n) {
  if (n <= 0) throw std::system_error(pool_errc::bad_params);
  wake_list wake;
  mu_.lock();
  set_size_locked(n);
  const int missing = fill_up_locked(wake);
  if (auto_size_) {
    wake.add_all(idle_, true);  // their timeouts depend on the size
  } else {
    for (int surplus = workers_ - size_; surplus > 0; --surplus) wake.add(idle_.pop(), true);
  }
  mu_.unlock();
  wake.ready_all();
  start_workers(missing);
}

// Lets in the adders there is room for. How many workers the caller is to start, once the lock is
// free.
int pool_core::fill_up_locked(wake_list& wake) {
  // A closed pool whose last worker has ended is about to finish.
  if (phase_ != phase::open && (phase_ != phase::closing || workers_ == 0)) return 0;
  const int missing = std::max(0, size_ - workers_);
  workers_ += missing;
  admit_locked(wake);
  return missing;
}

// Called when a task has to wait or is turned away. Under the lock: the timer has been made, and is
// only set.
void pool_core::watch_backlog_locked() {
  if (!auto_size_ || growth_armed_ || size_ >= options_.max_size) return;
  growth_armed_ = true;
  armed_epoch_ = drained_epoch_;
  growth_timer_->reset(growth_delay);
}

// Not pending. A pool that finishes first lets it go off in vain.
std::optional<timer> pool_core::make_growth_timer() {
  if (!auto_size_) return std::nullopt;
  timer t = after_func(std::chrono::nanoseconds::max(), [core = weak_from_this()] {
    if (auto self = core.lock()) self->grow();
  });
  t.stop();
  return t;
}

void pool_core::grow() {
  wake_list wake;
  int missing = 0;
  mu_.lock();
  growth_armed_ = false;
  const bool waited = backlog_locked() && drained_epoch_ == armed_epoch_;
  if (waited || turned_away_) {
    const std::size_t queued = waited ? queue_.size() : 0;
    const auto waiting = static_cast<int>(std::clamp<std::size_t>(queued, 1, 1 << 20));
    set_size_locked(size_ + std::min({waiting, size_, options_.max_size - size_}));
    missing = fill_up_locked(wake);
    turned_away_ = false;
  }
  if (backlog_locked()) watch_backlog_locked();
  mu_.unlock();
  wake.ready_all();
  try {
    start_workers(missing);
  } catch (...) {  // no goroutine can be had: the pool has stayed as it was
  }
}

}  // namespace runnel::detail
