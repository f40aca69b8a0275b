// How many workers a pool has: by hand, and by load.
//
// By load: a task that finds nobody idle arms a timer. If, when it fires, no worker has found the
// queue empty in the meantime, tasks have been waiting all the time, and the pool grows, at most to
// twice its size. A steady load that the workers can carry empties the queue again and again and so
// never makes the pool grow; what a burst has added stays until it has been idle for idle_timeout.
// Idle workers are a stack, so surplus ones are not kept awake in turn.
#include <algorithm>

#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

namespace {
constexpr std::chrono::milliseconds growth_delay{1};
}

void pool_core::set_size_locked(int n) noexcept {
  size_ = n;
  capacity_ = static_cast<std::size_t>(n) + static_cast<std::size_t>(options_.queue);
}

int pool_core::size() const {
  mu_.lock();
  const int n = size_;
  mu_.unlock();
  return n;
}

void pool_core::resize(int n) {
  if (n <= 0) throw std::system_error(pool_errc::bad_params);
  if (auto_size_) n = std::clamp(n, options_.min_size, options_.max_size);
  wake_list wake;
  mu_.lock();
  set_size_locked(n);
  int missing = 0;
  if (phase_ == phase::open || phase_ == phase::closing) {
    missing = std::max(0, size_ - workers_);
    if (workers_ == 0 && phase_ == phase::closing) missing = 0;  // the last one has just ended
    workers_ += missing;
    if (auto_size_) {
      wake.add_all(idle_, true);  // their timeouts depend on the size
    } else {
      for (int surplus = workers_ - size_; surplus > 0; --surplus) wake.add(idle_.pop(), true);
    }
    admit_locked(wake);
  }
  mu_.unlock();
  wake.ready_all();
  start_workers(missing);
}

// Called when a task has to wait. `arm`: the caller is to call arm_growth() once the lock is free.
void pool_core::watch_backlog_locked(bool& arm) noexcept {
  if (!auto_size_ || growth_armed_ || size_ >= options_.max_size) return;
  growth_armed_ = true;
  armed_epoch_ = drained_epoch_;
  arm = true;
}

void pool_core::arm_growth() {
  // A pool that finishes first lets the timer go off in vain, so there is nothing to stop.
  after_func(growth_delay, [core = weak_from_this()] {
    if (auto self = core.lock()) self->grow();
  });
}

void pool_core::grow() {
  wake_list wake;
  int more = 0;
  bool arm = false;
  mu_.lock();
  growth_armed_ = false;
  if (phase_ != phase::open || !backlog_locked()) {
    mu_.unlock();
    return;
  }
  if (drained_epoch_ == armed_epoch_ && size_ < options_.max_size) {
    const int waiting = static_cast<int>(std::clamp<std::size_t>(queue_.size(), 1, 1 << 20));
    more = std::min({waiting, options_.max_size - size_, size_});
    set_size_locked(size_ + more);
    more = std::max(0, size_ - workers_);
    workers_ += more;
    admit_locked(wake);
  }
  watch_backlog_locked(arm);
  mu_.unlock();
  wake.ready_all();
  try {
    start_workers(more);
  } catch (...) {  // no goroutine can be had: the pool stays as it is
    mu_.lock();
    set_size_locked(std::max(workers_, options_.min_size));
    mu_.unlock();
  }
  if (arm) arm_growth();
}

}  // namespace runnel::detail
