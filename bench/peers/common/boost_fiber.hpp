// What the Boost.Fiber workloads share: starting a fiber, a wait group, a pipe and a pool.
#pragma once
#include <atomic>
#include <boost/fiber/all.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/bench.hpp"

namespace bench {

namespace bf = boost::fibers;

// Where fibers get their stacks: pooled with one thread (the pool is not synchronised), else one
// mapping each.
struct fiber_stacks {
  std::unique_ptr<bf::pooled_fixedsize_stack> pooled;
  bf::fixedsize_stack fixed;
};
inline fiber_stacks stacks;

template <class F>
bf::fiber start_fiber(F&& f) {
  if (stacks.pooled) return bf::fiber(std::allocator_arg, *stacks.pooled, std::forward<F>(f));
  return bf::fiber(std::allocator_arg, stacks.fixed, std::forward<F>(f));
}

class fiber_wait_group {
 public:
  explicit fiber_wait_group(long n) : left_(n) {}
  void done() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const std::unique_lock<bf::mutex> lock(mutex_);
    zero_ = true;
    all_done_.notify_all();
  }
  void wait() {
    std::unique_lock<bf::mutex> lock(mutex_);
    all_done_.wait(lock, [this] { return zero_; });
  }

 private:
  std::atomic<long> left_;
  bool zero_ = false;
  bf::mutex mutex_;
  bf::condition_variable all_done_;
};

template <class Channel>
void fiber_pipe(const args& a, Channel& ch, int producers, int consumers) {
  const long n = a.count(2'000'000);
  std::vector<bf::fiber> producing;
  std::vector<bf::fiber> consuming;
  std::vector<long> got(static_cast<std::size_t>(consumers));
  const auto start = clock::now();
  for (int p = 0; p < producers; ++p) {
    producing.push_back(start_fiber([&] {
      for (long i = 0; i < n / producers; ++i) ch.push(static_cast<int>(i));
    }));
  }
  for (long& mine : got) {
    consuming.push_back(start_fiber([&] {
      int v;
      long k = 0;
      while (ch.pop(v) == bf::channel_op_status::success) ++k;
      mine = k;
    }));
  }
  for (auto& f : producing) f.join();
  ch.close();
  for (auto& f : consuming) f.join();
  emit_per_op(a, start, n);
  long total = 0;
  for (const long k : got) total += k;
  check(total == n / producers * producers, "items received");
}

// `make_task(i)` gives the i-th closure, which returns a long; returns the sum of what the n
// closures returned.
template <class Tasks, class Results, class MakeTask>
long fiber_pool(Tasks& tasks, Results& results, long n, MakeTask make_task) {
  std::vector<bf::fiber> workers;
  for (int w = 0; w < 4; ++w) {
    workers.push_back(start_fiber([&] {
      std::function<long()> task;
      while (tasks.pop(task) == bf::channel_op_status::success) results.push(task());
    }));
  }
  bf::fiber feeder = start_fiber([&] {
    for (long i = 0; i < n; ++i) tasks.push(std::function<long()>(make_task(i)));
    tasks.close();
    for (auto& f : workers) f.join();
    results.close();
  });
  long sum = 0;
  bf::fiber collector = start_fiber([&] {
    long result;
    while (results.pop(result) == bf::channel_op_status::success) sum += result;
  });
  feeder.join();
  collector.join();
  return sum;
}

template <class Tasks, class Results>
void fiber_pool_workload(const args& a, Tasks& tasks, Results& results) {
  const long n = a.count(1'000'000);
  const auto start = clock::now();
  const long sum = fiber_pool(tasks, results, n, [](long i) { return [i] { return i; }; });
  emit_per_op(a, start, n);
  check(sum == n * (n - 1) / 2, "sum of the results");
}

}  // namespace bench
