// The state of a worker pool and the transitions between its phases.
//
// Phases: idle (before run), open, closing (no new tasks), finished (drained and joined; results
// closed). `cancelled` goes with closing or finished.
//
// Invariants under mu_:
// - added == done + failed + dropped + queued + running; all counters change in the same critical
//   section as the queue.
// - There is room for a task iff queued + running (without tasks that callers run) < size_ + queue
//   capacity. A blocked adder is in adders_ only while there is none: whoever makes room moves the
//   task of the longest waiting adder into the queue itself, so nobody overtakes it and the adder
//   need not take the lock again.
// - An idle worker is in idle_ and the queue was empty when it went there; add takes one out for
//   each task it queues.
// - size_ is at least 1, and within the bounds of a pool that sizes itself: set_size_locked() alone
//   writes it, and sees to that.
// - workers_ <= size_, except while surplus workers of a shrunk pool are still to notice. Those end
//   without touching size_; one that ends because it was idle takes its place in size_ with it, and
//   so must not be surplus. As size_ >= 1, the last worker leaves no task behind.
// - In a pool that sizes itself the growth timer is pending whenever a task waits and the pool may
//   grow: whatever makes a task wait, or size_ smaller, arms it.
// Goroutines that may be inside the pool when its owner has gone (workers, and callers that wait or
// run a task) hold a reference, so that they find it whenever they go on; see ~worker_pool.
// No user's code runs under mu_, other than a task's nothrow move.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/error.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <vector>

#include "base/random.hpp"
#include "worker_pool/latency.hpp"
#include "worker_pool/task_queue.hpp"

namespace runnel::detail {

class pool_core : public std::enable_shared_from_this<pool_core> {
 public:
  explicit pool_core(const pool_options& options);

  void watch_parent();
  void run();
  error add(pool_task& t, const context* ctx, bool may_block);
  void close();
  error wait(const context* ctx);
  void cancel(error cause);
  void resize(int n);
  int size() const;
  pool_stats stats() const;
  const context& ctx() const noexcept { return ctx_; }
  recv_chan<error> results() const { return results_; }
  /// In place of cancel() and wait() when the process ends: waits for a bounded time, and reports
  /// what had not run.
  void abandon();

 private:
  enum class phase : std::uint8_t { idle, open, closing, finished };
  enum class outcome : std::uint8_t { done, failed, dropped };
  class add_case;
  class finish_case;
  class wake_list;

  // adding (pool_add.cpp)
  error refusal() const;
  bool has_room() const noexcept { return queue_.size() + running_ < capacity_; }
  waiter* push_locked(pool_task&& t);
  void admit_locked(wake_list& wake);
  error add_when_full(pool_task& t, const context* ctx, bool may_block);
  error block_until_added(pool_task& t, const context* ctx);
  error drop_oldest_locked(pool_task& t);
  error run_in_caller(pool_task& t);
  void count_in_caller(outcome o);

  // workers (pool_worker.cpp)
  void start_workers(int n);
  void work();
  bool go_idle_locked();
  void count_locked(outcome o) noexcept;
  outcome execute(pool_task& t, std::int64_t added_at);
  outcome execute_measured(pool_task& t, std::int64_t added_at);
  outcome execute_controlled(pool_task& t);
  error call(pool_task& t);
  bool wait_before_retry(int attempt);
  outcome fail(error e);
  void report(error e);
  void keep(error e);

  // sizing (pool_size.cpp)
  void set_size_locked(int n) noexcept;
  int fill_up_locked(wake_list& wake);
  bool backlog_locked() const noexcept { return !queue_.empty() || !adders_.empty(); }
  void watch_backlog_locked();
  std::optional<timer> make_growth_timer();
  void grow();

  // ending (pool_end.cpp)
  void close_locked(wake_list& wake);
  void maybe_finish(wake_list& wake);
  void tell_dropped(std::uint64_t n) noexcept;
  void end_dropping();
  void collect_results();
  error gather();

  const pool_options options_;  // checked and completed by the constructor
  const bool auto_size_;
  const bool plain_;  // tasks need neither timeout nor rate
  context ctx_;
  cancel_function cancel_;
  const chan<error> results_;
  const chan<void> collecting_chan_;  // closed when nobody may wait for room in results_ any more

  mutable spinlock mu_;
  // All below: guarded by mu_.
  phase phase_ = phase::idle;
  bool cancelled_ = false;
  bool collecting_ = false;
  bool gathering_ = false;
  bool gathered_ = false;
  bool finishing_ = false;
  bool growth_armed_ = false;  // growth_timer_ is pending, or grow() has not begun yet
  bool turned_away_ = false;   // a task has been, since a worker was last free
  int size_ = 0;
  int workers_ = 0;
  int idle_count_ = 0;
  int next_worker_ = 0;
  std::size_t capacity_ = 0;  // size_ + options_.queue
  std::size_t running_ = 0;   // by workers
  std::size_t caller_running_ = 0;
  int dropping_ = 0;                   // calls of cancel() that destroy what was queued
  std::uint64_t drained_epoch_ = 0;    // how often a worker has found the queue empty
  std::uint64_t armed_epoch_ = 0;      // drained_epoch_ when the growth timer was armed
  std::optional<timer> growth_timer_;  // from run() on, if auto_size_
  std::uint64_t added_ = 0, done_ = 0, failed_ = 0, dropped_ = 0, rejected_ = 0, retried_ = 0,
                timed_out_ = 0;
  task_queue queue_;
  stop_function parent_stop_{};  // none once it is finishing
  wait_queue idle_;              // workers; newest first, so that surplus ones stay idle
  wait_queue adders_;            // first come, first served
  wait_queue joiners_;           // waiting for finished or gathered
  random_source random_;
  std::vector<error> leftover_;  // errors nobody received
  error final_{};
  std::unique_ptr<latency_histogram> queue_times_;
  std::unique_ptr<latency_histogram> run_times_;
};

/// Agents to make ready once the lock is free.
class pool_core::wake_list {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  void add(waiter* w, bool ok) noexcept {
    if (w == nullptr) return;
    w->ok = ok;
    w->next = head_;
    head_ = w;
  }
  void add_all(wait_queue& q, bool ok) noexcept {
    while (waiter* w = q.pop()) add(w, ok);
  }
  /// Call without the lock. Last added, first woken.
  void ready_all() noexcept {
    while (waiter* w = head_) {
      head_ = w->next;
      ready(w->who);
    }
  }

 private:
  waiter* head_ = nullptr;
};

const error& pool_error(pool_errc e);

/// Has the destructors of static pools learn that the process ends; see pool_exit.cpp.
void watch_exit();
/// Whether the calling thread runs the exit handlers, or ran them.
bool process_ends() noexcept;

}  // namespace runnel::detail
