// How tasks get into a pool.
#include <runnel/detail/context_case.hpp>

#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

namespace {

const error& would_block() {
  static const error& e = *new error(std::errc::resource_unavailable_try_again);
  return e;
}

}  // namespace

/// Room for a task (which is then queued), or the end of the pool, as a case of a select.
class pool_core::add_case final : public case_base {
 public:
  add_case(pool_core& core, pool_task& t) noexcept : core_(core), task_(t) {}

  spinlock* lock() noexcept { return &core_.mu_; }
  bool try_now(agent*& wake) noexcept override {
    if (core_.phase_ != phase::open) return true;
    if (!core_.has_room()) return false;
    try {
      if (waiter* w = core_.push_locked(std::move(task_))) wake = w->who;
    } catch (const std::bad_alloc&) {
      out_of_memory_ = true;
      return true;
    }
    added_ = true;
    return true;
  }
  void enqueue(waiter& w) noexcept override {
    w.slot = &task_;
    core_.adders_.push_back(w);
    core_.watch_backlog_locked();
  }
  void dequeue(waiter& w) noexcept override { core_.adders_.remove(w); }
  void complete(waiter& w) noexcept override {
    added_ = w.ok;
    out_of_memory_ = w.slot == nullptr;
  }

  /// What add_task returns when this case went ahead.
  error result() const {
    if (out_of_memory_) throw std::bad_alloc();
    return added_ ? error() : pool_error(pool_errc::closed);
  }

 private:
  pool_core& core_;
  pool_task& task_;
  bool added_ = false;
  bool out_of_memory_ = false;
};

error pool_core::refusal() const {
  return pool_error(phase_ == phase::idle ? pool_errc::not_started : pool_errc::closed);
}

// Gives the worker to wake for it; null: all are busy, and the task has to wait.
waiter* pool_core::push_locked(pool_task&& t) {
  queue_.push(std::move(t), queue_times_ != nullptr ? now_ns() : 0);
  ++added_;
  waiter* const worker = idle_.pop();
  if (worker == nullptr && auto_size_) watch_backlog_locked();
  return worker;
}

// Moves the tasks of blocked adders into the queue as far as there is room.
void pool_core::admit_locked(wake_list& wake) {
  while (phase_ == phase::open && has_room()) {
    waiter* const adder = adders_.pop();
    if (adder == nullptr) return;
    waiter* worker = nullptr;
    bool pushed = true;
    try {
      worker = push_locked(std::move(*static_cast<pool_task*>(adder->slot)));
    } catch (const std::bad_alloc&) {
      adder->slot = nullptr;  // it throws for itself
      pushed = false;
    }
    wake.add(adder, pushed);
    wake.add(worker, true);
  }
}

error pool_core::add(pool_task& t, const context* ctx, bool may_block) {
  check_attention();
  if (!t) [[unlikely]]
    return pool_error(pool_errc::bad_task);
  if (ctx != nullptr && context_access::done(*ctx)) return ctx->err();
  mu_.lock();
  if (phase_ != phase::open || context_access::done(ctx_)) [[unlikely]] {
    error e = refusal();
    mu_.unlock();
    return e;
  }
  if (!has_room()) [[unlikely]]
    return add_when_full(t, ctx, may_block);
  waiter* worker = nullptr;
  try {
    worker = push_locked(std::move(t));
  } catch (...) {
    mu_.unlock();
    throw;
  }
  mu_.unlock();
  if (worker != nullptr) ready(worker->who);
  return {};
}

// Called with the lock; releases it.
error pool_core::add_when_full(pool_task& t, const context* ctx, bool may_block) {
  const overflow policy = options_.on_full;
  if (policy == overflow::block && may_block) return block_until_added(t, ctx);
  // Without a queue what is queued is on its way to a free worker, and counts as running.
  if (policy == overflow::drop_oldest && options_.queue > 0 && !queue_.empty())
    return drop_oldest_locked(t);
  turned_away_ = true;
  watch_backlog_locked();
  if (policy == overflow::caller_runs) return run_in_caller(t);
  if (policy == overflow::block) {
    mu_.unlock();
    return would_block();
  }
  ++rejected_;
  mu_.unlock();
  return pool_error(pool_errc::rejected);
}

// Called with the lock; releases it.
error pool_core::block_until_added(pool_task& t, const context* ctx) {
  if (ctx != nullptr) {
    mu_.unlock();
    add_case adding(*this, t);
    done_case done(context_access::canceler(*ctx));
    const guarded_case cases[] = {done, adding};
    const std::size_t went = select_cases(cases, no_case, select_order::in_order);
    return went == 0 ? ctx->err() : adding.result();
  }
  waiter w;
  w.who = this_agent();
  w.slot = &t;
  adders_.push_back(w);
  watch_backlog_locked();
  if (!park(wait_reason::chan_send, mu_)) {
    mu_.lock();
    adders_.remove(w);
    mu_.unlock();
    throw_deadlock();
  }
  if (w.slot == nullptr) throw std::bad_alloc();
  return w.ok ? error() : pool_error(pool_errc::closed);
}

// Called with the lock; releases it. Precondition: the queue is not empty.
error pool_core::drop_oldest_locked(pool_task& t) {
  const auto self = shared_from_this();
  pool_task oldest;
  queue_.pop(oldest);
  ++dropped_;
  ++dropping_;  // as in cancel()
  waiter* worker = nullptr;
  std::exception_ptr failure;
  try {
    worker = push_locked(std::move(t));
  } catch (...) {
    failure = std::current_exception();
  }
  mu_.unlock();
  if (worker != nullptr) ready(worker->who);
  oldest.reset();
  end_dropping();
  if (failure != nullptr) std::rethrow_exception(failure);
  return {};
}

// Called with the lock; releases it.
error pool_core::run_in_caller(pool_task& t) {
  const auto self = shared_from_this();
  ++added_;
  ++caller_running_;
  mu_.unlock();
  outcome o = outcome::failed;
  try {
    o = execute(t, queue_times_ != nullptr ? now_ns() : 0);
  } catch (...) {  // its error has nowhere to go, or main was chosen to report a deadlock
    count_in_caller(outcome::failed);
    throw;
  }
  t.reset();
  count_in_caller(o);
  return {};
}

void pool_core::count_in_caller(outcome o) {
  wake_list wake;
  mu_.lock();
  --caller_running_;
  count_locked(o);
  maybe_finish(wake);
  mu_.unlock();
  wake.ready_all();
}

}  // namespace runnel::detail
