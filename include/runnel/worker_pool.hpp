// worker_pool: a bounded set of goroutines that run tasks from a bounded queue.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/pool_task.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

namespace runnel {

class rate_limiter;  // <runnel/rate_limiter.hpp>

/// What a pool says: "bad params", "bad task", "not started", "pool closed", "task rejected", "task
/// dropped".
enum class pool_errc { bad_params = 1, bad_task, not_started, closed, rejected, dropped };

const std::error_category& pool_category() noexcept;
inline std::error_code make_error_code(pool_errc e) noexcept {
  return {static_cast<int>(e), pool_category()};
}

/// What add_task does when all workers are busy and the queue is full.
enum class overflow {
  block,        ///< waits for room: back-pressure
  reject,       ///< returns pool_errc::rejected
  drop_oldest,  ///< drops the task that has been queued longest; without a queue, as reject
  caller_runs   ///< runs the task in the adding goroutine, beyond the workers
};

namespace detail {

/// Nanoseconds that any chrono duration converts to, saturating.
struct saturated_duration : std::chrono::nanoseconds {
  constexpr saturated_duration() noexcept : std::chrono::nanoseconds(0) {}
  template <any_duration D>
  constexpr saturated_duration(D d) noexcept  // NOLINT: implicit, as between chrono durations
      : std::chrono::nanoseconds(to_ns(d)) {}
};

class pool_core;

}  // namespace detail

/// How long to wait before a failed task is run again: `initial`, then `factor` times longer each
/// time, up to `max`; of that, a share of up to `jitter` (0 to 1) is left out at random, so that
/// tasks that failed together do not come back together.
struct backoff {
  detail::saturated_duration initial = std::chrono::milliseconds(100);
  detail::saturated_duration max = std::chrono::seconds(30);
  double factor = 2;
  double jitter = 0.5;
};

struct pool_options {
  /// Workers; 0: max_procs(), or min_size for a pool that sizes itself.
  int size = 0;
  /// Tasks queued beyond those running.
  int queue = 0;
  /// Both set: the pool sizes itself between them. It grows when tasks have waited for a
  /// millisecond without a break, also while it drains; a task that finds all workers busy and is
  /// refused, or run by its adder, counts as waiting until a worker is free. A worker that has been
  /// idle for idle_timeout ends.
  int min_size = 0;
  int max_size = 0;
  detail::saturated_duration idle_timeout = std::chrono::seconds(10);
  /// When it is done, the pool is cancelled.
  context parent = background();
  /// The first error of a task cancels the pool, with that error as the cause.
  bool stop_on_error = false;
  /// Zero: none. The context a task is called with is done after it; each retry starts anew. A task
  /// that takes longer is reported as timed out when it ends, also when it succeeded.
  detail::saturated_duration task_timeout{};
  /// How often a failed task is called again before it counts as failed. Its worker waits between.
  int retries = 0;
  backoff retry_backoff{};
  overflow on_full = overflow::block;
  /// Task starts per second, retries included; may be shared between pools.
  std::shared_ptr<rate_limiter> rate{};
  /// Keep histograms of queue and run time (two looks at the clock per task).
  bool latencies = false;
  /// In dumps, where its workers are NAME/1, NAME/2, ..., and in messages.
  std::string name{};
};

/// Percentiles, to within an eighth of the value.
struct latency_summary {
  std::uint64_t count = 0;
  std::chrono::nanoseconds mean{};
  std::chrono::nanoseconds p50{};
  std::chrono::nanoseconds p90{};
  std::chrono::nanoseconds p99{};
  std::chrono::nanoseconds p999{};
  std::chrono::nanoseconds max{};
};

/// One instant of a pool: added == done + failed + dropped + queued + running.
struct pool_stats {
  int workers = 0;           ///< goroutines of the pool
  int idle = 0;              ///< of them, those that wait for a task
  std::uint64_t queued = 0;  ///< tasks taken and not yet begun
  std::uint64_t running =
      0;                     ///< tasks begun and not yet ended, those in adding goroutines included
  std::uint64_t added = 0;   ///< tasks taken
  std::uint64_t done = 0;    ///< ended without an error
  std::uint64_t failed = 0;  ///< ended with an error, retries included
  std::uint64_t dropped = 0;     ///< taken and never begun: cancelled, or pushed out by newer ones
  std::uint64_t rejected = 0;    ///< refused because the pool was full (overflow::reject)
  std::uint64_t retried = 0;     ///< calls repeated after an error
  std::uint64_t timed_out = 0;   ///< calls that took longer than task_timeout
  latency_summary queue_time{};  ///< from add_task to the start; only with pool_options::latencies
  latency_summary run_time{};    ///< retries and the waits between them included
};

/// A pool of workers.
///
/// All members may be called from many goroutines and threads at once; no lock is held while
/// add_task blocks. A task that add_task took is run, or is counted as dropped by cancel or an
/// overflow: none is lost in silence. A task may add tasks to its own pool; if all workers do so
/// while the queue is full they wait for each other for ever, which the deadlock report finds
/// (try_add_task or a larger queue avoids it). The destructor cancels and waits; that of a static
/// pool, when the process ends, waits for a tenth of a second at most and says on standard error
/// what had not run. It never throws deadlock_error: main, waiting in it for tasks that are stuck
/// for good, leaves them parked and goes on.
class worker_pool {
 public:
  /// Move-only, from any callable f() or f(const context&) that returns void, error or
  /// std::error_code.
  using task = detail::pool_task;

  /// `size` workers and no queue. Throws std::system_error(pool_errc::bad_params) unless size > 0.
  explicit worker_pool(int size);
  /// Throws std::system_error(pool_errc::bad_params) for options that make no sense: a negative
  /// number, only one of min_size and max_size, or the one above the other.
  explicit worker_pool(const pool_options& options);
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;
  ~worker_pool();

  /// Starts the workers. A second call does nothing, nor does one after close() or cancel(). Throws as go() does where
  /// one cannot be started; the pool goes on with those there are, and is cancelled if there is none.
  void run();

  /// Hands over a task. Blocks while all workers are busy and the queue is full (unless on_full
  /// says otherwise). None: taken. pool_errc::bad_task: empty. pool_errc::not_started: before
  /// run(). pool_errc::closed: after close() or cancel(), also when those came while it was
  /// blocked. pool_errc::rejected: see overflow.
  error add_task(task t) { return add(t, nullptr, true); }
  /// The same; gives up when `ctx` is done, with its error.
  error add_task(const context& ctx, task t) { return add(t, &ctx, true); }
  /// The same, with std::errc::resource_unavailable_try_again where it would block.
  error try_add_task(task t) { return add(t, nullptr, false); }

  /// The errors of tasks, none of them null, as they come; closed once the pool has been closed and
  /// drained. Bounded: while it is full and nobody reads it, workers that have an error to report
  /// wait, until wait(), cancel() or the destructor collects what is left.
  recv_chan<error> results() const;

  /// No more tasks; queued ones finish. Does not block.
  void close();

  /// Closes the pool and blocks until all tasks have ended and the workers with them. All errors
  /// that were not received from results(), joined; where tasks were dropped, also one that is
  /// pool_errc::dropped and says how many. Later calls give the same.
  error wait();
  /// The same, but gives up when `ctx` is done: an error that is the context's. The pool goes on
  /// draining.
  error wait(const context& ctx);

  /// Closes the pool, drops the queued tasks, and makes ctx() done with `cause`; running tasks go
  /// on until they see that. Does not block.
  void cancel(error cause = {});

  /// Changes the number of workers; surplus ones end after their current task. Throws
  /// std::system_error(pool_errc::bad_params) unless n > 0. In a pool that sizes itself n is
  /// brought within its bounds.
  void resize(int n);
  /// The number of workers the pool is to have.
  int size() const;

  /// The pool's context: done when the pool is cancelled, when it has drained, or when its parent
  /// is done.
  context ctx() const;
  pool_stats stats() const;

 private:
  error add(task& t, const context* ctx, bool may_block);

  std::shared_ptr<detail::pool_core> core_;
};

}  // namespace runnel

template <>
struct std::is_error_code_enum<runnel::pool_errc> : std::true_type {};
