// How a pool ends: closed, drained, joined; and who gets the errors that nobody has read.
#include <runnel/detail/context_case.hpp>
#include <runnel/select.hpp>

#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

/// The pool is finished, as a case of a select.
class pool_core::finish_case final : public case_base {
 public:
  explicit finish_case(pool_core& core) noexcept : core_(core) {}
  spinlock* lock() noexcept { return &core_.mu_; }
  bool try_now(agent*&) noexcept override { return core_.phase_ == phase::finished; }
  void enqueue(waiter& w) noexcept override { core_.joiners_.push_back(w); }
  void dequeue(waiter& w) noexcept override { core_.joiners_.remove(w); }
  void complete(waiter&) noexcept override {}

 private:
  pool_core& core_;
};

void pool_core::close_locked(wake_list& wake) {
  if (phase_ == phase::idle || phase_ == phase::open) phase_ = phase::closing;
  turned_away_ = false;
  wake.add_all(adders_, false);
  wake.add_all(idle_, true);
}

void pool_core::close() {
  wake_list wake;
  mu_.lock();
  close_locked(wake);
  maybe_finish(wake);
  mu_.unlock();
  wake.ready_all();
}

void pool_core::cancel(error cause) {
  cancel_(std::move(cause));
  wake_list wake;
  mu_.lock();
  cancelled_ = true;
  {
    task_queue dropped;
    queue_.swap(dropped);
    dropped_ += dropped.size();
    ++dropping_;  // the pool has not finished before these are destroyed: they refer to what its owner keeps for them
    close_locked(wake);
    mu_.unlock();
    wake.ready_all();
  }
  end_dropping();
  collect_results();
}

// What was counted in dropping_ has been destroyed.
void pool_core::end_dropping() {
  wake_list wake;
  mu_.lock();
  --dropping_;
  maybe_finish(wake);
  mu_.unlock();
  wake.ready_all();
}

// For wait(): no task's own error.
void pool_core::tell_dropped(std::uint64_t n) noexcept {
  try {
    keep(wrap(std::to_string(n) + (n == 1 ? " task" : " tasks"), pool_error(pool_errc::dropped)));
  } catch (const std::bad_alloc&) {  // the statistics still say it
  }
}

// Called with the lock, and returns with it, but lets it go in between when the last one out turns
// off the light.
void pool_core::maybe_finish(wake_list& wake) {
  if (phase_ != phase::closing || finishing_ || workers_ != 0 || caller_running_ != 0 ||
      dropping_ != 0)
    return;
  finishing_ = true;
  const std::uint64_t dropped = dropped_;
  const stop_function parent_stop = std::move(parent_stop_);
  mu_.unlock();
  if (dropped > 0) tell_dropped(dropped);
  results_.close();
  parent_stop();
  cancel_();
  mu_.lock();
  phase_ = phase::finished;
  wake.add_all(joiners_, true);
}

// From now on errors are kept instead of waiting for room in results_.
void pool_core::collect_results() {
  mu_.lock();
  const bool first = !collecting_;
  collecting_ = true;
  mu_.unlock();
  if (first) collecting_chan_.close();
}

error pool_core::wait(const context* ctx) {
  const auto self = shared_from_this();
  close();
  collect_results();
  if (ctx != nullptr) {
    done_case done(context_access::canceler(*ctx));
    finish_case finished(*this);
    const guarded_case cases[] = {done, finished};
    if (select_cases(cases, no_case, select_order::in_order) == 0) {
      return wrap("gave up waiting for the pool", ctx->err());
    }
  }
  return gather();
}

// The first caller after the end collects; the others wait for it.
error pool_core::gather() {
  mu_.lock();
  while (phase_ != phase::finished || (gathering_ && !gathered_)) {
    waiter w;
    w.who = this_agent();
    joiners_.push_back(w);
    const bool woken = park(wait_reason::wait_group_wait, mu_);
    mu_.lock();
    if (woken) continue;
    joiners_.remove(w);
    mu_.unlock();
    throw_deadlock();
  }
  if (!gathered_) {
    gathering_ = true;
    std::vector<error> late = std::move(leftover_);
    mu_.unlock();
    error joined;
    std::exception_ptr no_memory;  // the next caller tries again
    try {
      std::vector<error> all;
      while (auto e = results_.try_recv()) all.push_back(std::move(*e));
      all.insert(all.end(), late.begin(), late.end());
      joined = join(all);
    } catch (...) {
      no_memory = std::current_exception();
    }
    wake_list wake;
    mu_.lock();
    if (no_memory != nullptr) leftover_ = std::move(late);
    final_ = std::move(joined);
    gathering_ = gathered_ = no_memory == nullptr;
    wake.add_all(joiners_, true);
    mu_.unlock();
    wake.ready_all();
    if (no_memory != nullptr) std::rethrow_exception(no_memory);
    mu_.lock();
  }
  error result = final_;
  mu_.unlock();
  return result;
}

}  // namespace runnel::detail
