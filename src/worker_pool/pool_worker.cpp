// How tasks get out of a pool: the workers, and what surrounds a call of a task.
#include <algorithm>
#include <cmath>
#include <runnel/go.hpp>
#include <runnel/rate_limiter.hpp>
#include <runnel/select.hpp>

#include "base/random.hpp"
#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

// `n` places in workers_ have been taken under the lock. Where no goroutine can be had, the pool
// becomes as large as it is; it ends, with what is in it dropped, if there is not one worker.
void pool_core::start_workers(int n) {
  while (n > 0) {
    try {
      mu_.lock();
      const int number = ++next_worker_;
      mu_.unlock();
      const std::string name =
          (options_.name.empty() ? std::string("worker_pool") : options_.name) + '/' +
          std::to_string(number);
      go(go_options{.name = name}, [self = shared_from_this()] { self->work(); });
    } catch (...) {
      wake_list wake;
      mu_.lock();
      workers_ -= n;
      const bool none_left = workers_ == 0;
      set_size_locked(std::min(size_, workers_));
      if (!none_left) maybe_finish(wake);
      mu_.unlock();
      wake.ready_all();
      if (none_left) cancel(error::current());
      throw;
    }
    --n;
  }
}

// A worker. The lock is taken once per task: counting the last one and getting the next is one
// critical section.
void pool_core::work() {
  pool_task t;
  wake_list wake;
  mu_.lock();
  while (workers_ <= size_) {
    if (queue_.empty()) {
      ++drained_epoch_;
      turned_away_ = false;
      if (phase_ != phase::open) break;
      if (!wake.empty()) {
        mu_.unlock();
        wake.ready_all();
        mu_.lock();
        continue;
      }
      if (!go_idle_locked()) break;
      continue;
    }
    const std::int64_t added_at = queue_.pop(t);
    ++running_;
    mu_.unlock();
    wake.ready_all();
    const outcome o = execute(t, added_at);
    t.reset();
    check_attention();
    mu_.lock();
    --running_;
    count_locked(o);
    if (!adders_.empty()) admit_locked(wake);
  }
  --workers_;
  // It may have been woken for a task that it now leaves to another.
  if (!queue_.empty()) wake.add(idle_.pop(), true);
  maybe_finish(wake);
  mu_.unlock();
  wake.ready_all();
}

// Waits for a task. False: it was idle for too long, and its place in size_ is gone. A surplus
// worker has no place there. The lock is held before and after.
bool pool_core::go_idle_locked() {
  const bool timed = auto_size_ && workers_ > options_.min_size;
  claim_word claim{unclaimed};
  waiter w;
  w.who = this_agent();
  if (timed) w.claim = &claim;
  idle_.push_front(w);
  ++idle_count_;
  const bool woken = timed ? park_until(wait_reason::chan_receive, mu_, claim,
                                        add_ns(rough_now_ns(), options_.idle_timeout.count()))
                           : park(wait_reason::chan_receive, mu_);
  mu_.lock();
  --idle_count_;
  idle_.remove(w);
  if (!woken) {
    mu_.unlock();
    throw_deadlock();
  }
  if (claim.load() != claimed_by_timeout) return true;
  const bool spare = options_.min_size < workers_ && workers_ <= size_;
  if (!queue_.empty() || phase_ != phase::open || !spare) return true;
  set_size_locked(size_ - 1);
  return false;
}

void pool_core::count_locked(outcome o) noexcept {
  switch (o) {
    case outcome::done:
      ++done_;
      return;
    case outcome::failed:
      ++failed_;
      return;
    case outcome::dropped:
      ++dropped_;
      return;
  }
}

pool_core::outcome pool_core::execute(pool_task& t, std::int64_t added_at) {
  if (context_access::done(ctx_)) [[unlikely]]
    return outcome::dropped;
  if (queue_times_ != nullptr) return execute_measured(t, added_at);
  if (!plain_) return execute_controlled(t);
  error e = t(ctx_);
  if (!e) [[likely]]
    return outcome::done;
  return fail(std::move(e));
}

pool_core::outcome pool_core::execute_measured(pool_task& t, std::int64_t added_at) {
  const std::int64_t begun = now_ns();
  const outcome o = execute_controlled(t);
  const std::int64_t ended = now_ns();
  mu_.lock();
  queue_times_->add(begun - added_at);
  run_times_->add(ended - begun);
  mu_.unlock();
  return o;
}

// With timeout, rate and retries.
pool_core::outcome pool_core::execute_controlled(pool_task& t) {
  error last;
  for (int attempt = 0;; ++attempt) {
    if (options_.rate != nullptr && options_.rate->wait(ctx_)) {
      if (attempt == 0) return outcome::dropped;  // the pool was cancelled before it could start
      return fail(std::move(last));
    }
    error e = call(t);
    if (!e) return outcome::done;
    if (attempt >= options_.retries || !wait_before_retry(attempt)) return fail(std::move(e));
    last = std::move(e);
  }
}

error pool_core::call(pool_task& t) {
  const std::int64_t timeout = options_.task_timeout.count();
  if (timeout <= 0 || timeout == never) return t(ctx_);
  const std::int64_t deadline = add_ns(now_ns(), timeout);
  auto [limited, cancel] =
      with_deadline(ctx_, clock::time_point(std::chrono::nanoseconds(deadline)));
  error e = t(limited);
  // The clock decides, not the context: a task that never gave way has kept the timer from running.
  if (now_ns() < deadline) return e;
  mu_.lock();
  ++timed_out_;
  mu_.unlock();
  if (e.is(context_errc::deadline_exceeded)) return e;
  return join({error(context_errc::deadline_exceeded), e});
}

// False: the pool was cancelled meanwhile.
bool pool_core::wait_before_retry(int attempt) {
  const backoff& b = options_.retry_backoff;
  const auto initial = static_cast<double>(b.initial.count());
  double full = std::min(static_cast<double>(b.max.count()), initial * std::pow(b.factor, attempt));
  if (initial == 0) full = 0;  // zero times infinity is no number
  mu_.lock();
  const double left_out = b.jitter * random_.below(1 << 16) / (1 << 16);
  mu_.unlock();
  const std::chrono::duration<double, std::nano> delay(full * (1 - left_out));
  if (context_access::done(ctx_)) return false;
  if (delay.count() > 0 && select(on_done(ctx_), on_timeout(delay)) == 0) return false;
  mu_.lock();
  ++retried_;
  mu_.unlock();
  return true;
}

pool_core::outcome pool_core::fail(error e) {
  if (options_.stop_on_error) cancel(e);
  report(std::move(e));
  return outcome::failed;
}

// Hands an error to whoever reads results(), which may have to wait for room: that is the pool's
// back-pressure.
void pool_core::report(error e) {
  if (results_.try_send(e)) return;
  mu_.lock();
  const bool collecting = collecting_;
  mu_.unlock();
  if (!collecting && select(on_send(results_, e), on_recv(collecting_chan_)) == 0) return;
  keep(std::move(e));
}

void pool_core::keep(error e) {
  mu_.lock();
  try {
    leftover_.push_back(std::move(e));
  } catch (...) {
    mu_.unlock();
    throw;
  }
  mu_.unlock();
}

}  // namespace runnel::detail
