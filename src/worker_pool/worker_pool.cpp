#include <algorithm>
#include <optional>
#include <runnel/go.hpp>
#include <runnel/worker_pool.hpp>
#include <string>

#include "worker_pool/pool_core.hpp"

namespace runnel {

namespace {

class pool_category_type final : public std::error_category {
 public:
  const char* name() const noexcept override { return "worker_pool"; }
  std::string message(int value) const override {
    switch (static_cast<pool_errc>(value)) {
      case pool_errc::bad_params:
        return "bad params";
      case pool_errc::bad_task:
        return "bad task";
      case pool_errc::not_started:
        return "not started";
      case pool_errc::closed:
        return "pool closed";
      case pool_errc::rejected:
        return "task rejected";
      case pool_errc::dropped:
        return "task dropped";
    }
    return "unknown pool error";
  }
};

}  // namespace

const std::error_category& pool_category() noexcept {
  static const auto& category = *new pool_category_type;  // outlives every static error
  return category;
}

namespace detail {

// Made once and never destroyed: a refusal costs no allocation, and pools may be used while the
// process ends.
const error& pool_error(pool_errc e) {
  static const error* const errors = new error[]{
      {},
      pool_errc::bad_params,
      pool_errc::bad_task,
      pool_errc::not_started,
      pool_errc::closed,
      pool_errc::rejected,
      pool_errc::dropped,
  };
  return errors[static_cast<int>(e)];
}

namespace {

constexpr std::size_t most_results = 1024;

bool makes_sense(const pool_options& o) noexcept {
  const bool bounds = o.min_size == 0 && o.max_size == 0;
  return o.size >= 0 && o.queue >= 0 && o.retries >= 0 && o.min_size >= 0 &&
         (bounds || (o.min_size > 0 && o.max_size >= o.min_size)) && o.idle_timeout.count() >= 0 &&
         o.task_timeout.count() >= 0 && o.retry_backoff.initial.count() >= 0 &&
         o.retry_backoff.max.count() >= 0 && o.retry_backoff.factor >= 0 &&
         o.retry_backoff.jitter >= 0 && o.retry_backoff.jitter <= 1;
}

// The options with defaults filled in. Throws std::system_error(pool_errc::bad_params).
pool_options completed(pool_options o) {
  if (!makes_sense(o)) throw std::system_error(pool_errc::bad_params);
  if (o.max_size > 0) {
    o.size = std::clamp(o.size, o.min_size, o.max_size);
  } else if (o.size == 0) {
    o.size = max_procs();
  }
  return o;
}

std::size_t results_capacity(const pool_options& o) noexcept {
  const auto wanted = static_cast<std::size_t>(o.size) + static_cast<std::size_t>(o.queue);
  return std::clamp<std::size_t>(wanted, 16, most_results);
}

}  // namespace

pool_core::pool_core(const pool_options& options)
    : options_(completed(options)),
      auto_size_(options_.max_size > 0),
      plain_(options_.task_timeout.count() == 0 && options_.rate == nullptr &&
             options_.retries == 0),
      results_(results_capacity(options_)),
      random_(static_cast<std::uint64_t>(now_ns())) {
  auto made = with_cancel(options_.parent);
  ctx_ = std::move(made.ctx);
  cancel_ = std::move(made.cancel);
  set_size_locked(options_.size);
  if (options_.latencies) {
    queue_times_ = std::make_unique<latency_histogram>();
    run_times_ = std::make_unique<latency_histogram>();
  }
}

void pool_core::run() {
  std::optional<timer> growth = make_growth_timer();
  mu_.lock();
  if (phase_ != phase::idle) {
    mu_.unlock();
    return;
  }
  phase_ = phase::open;
  growth_timer_ = std::move(growth);
  const int n = size_;
  workers_ = n;
  mu_.unlock();
  watch_exit();
  start_workers(n);
}

// Has the end of the parent's context end the pool. Not in the constructor: it needs a shared_ptr
// to this.
void pool_core::watch_parent() {
  if (context_access::canceler(options_.parent) == nullptr) return;
  stop_function stop =
      after_func(options_.parent, [core = weak_from_this(), parent = options_.parent] {
        if (auto self = core.lock()) self->cancel(parent.cause());
      });
  mu_.lock();
  const bool ended = finishing_;  // the parent's end has been faster
  if (!ended) parent_stop_ = std::move(stop);
  mu_.unlock();
}

pool_stats pool_core::stats() const {
  pool_stats s;
  mu_.lock();
  s.workers = workers_;
  s.idle = idle_count_;
  s.queued = queue_.size();
  s.running = running_ + caller_running_;
  s.added = added_;
  s.done = done_;
  s.failed = failed_;
  s.dropped = dropped_;
  s.rejected = rejected_;
  s.retried = retried_;
  s.timed_out = timed_out_;
  std::optional<latency_histogram> queue_times;
  std::optional<latency_histogram> run_times;
  if (queue_times_ != nullptr) {
    queue_times = *queue_times_;
    run_times = *run_times_;
  }
  mu_.unlock();
  if (queue_times) {
    s.queue_time = queue_times->summary();
    s.run_time = run_times->summary();
  }
  return s;
}

}  // namespace detail

worker_pool::worker_pool(int size) {
  if (size <= 0) throw std::system_error(pool_errc::bad_params);
  pool_options options;
  options.size = size;
  core_ = std::make_shared<detail::pool_core>(options);
}

worker_pool::worker_pool(const pool_options& options)
    : core_(std::make_shared<detail::pool_core>(options)) {
  core_->watch_parent();
}

worker_pool::~worker_pool() {
  if (detail::process_ends()) {
    core_->abandon();
    return;
  }
  core_->cancel({});
  try {
    core_->wait(nullptr);
  } catch (const deadlock_error&) {
    // The tasks that are left are stuck for good, and main must be able to unwind past its pools.
    // Should one of them be woken after all, it finds the core: it holds a reference.
  }
}

void worker_pool::run() { core_->run(); }
error worker_pool::add(task& t, const context* ctx, bool may_block) {
  return core_->add(t, ctx, may_block);
}
recv_chan<error> worker_pool::results() const { return core_->results(); }
void worker_pool::close() { core_->close(); }
error worker_pool::wait() { return core_->wait(nullptr); }
error worker_pool::wait(const context& ctx) { return core_->wait(&ctx); }
void worker_pool::cancel(error cause) { core_->cancel(std::move(cause)); }
void worker_pool::resize(int n) { core_->resize(n); }
int worker_pool::size() const { return core_->size(); }
context worker_pool::ctx() const { return core_->ctx(); }
pool_stats worker_pool::stats() const { return core_->stats(); }

}  // namespace runnel
