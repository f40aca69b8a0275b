// The library's own pool: four workers, a queue of 128.
#include <atomic>
#include <runnel/worker_pool.hpp>

#include "common/bench.hpp"

namespace {

void worker_pool(const bench::args& a) {
  const long n = a.count(1'000'000);
  std::atomic<long> sum = 0;
  runnel::pool_options options;
  options.size = 4;
  options.queue = 128;
  runnel::worker_pool pool(options);
  const auto start = bench::clock::now();
  pool.run();
  for (long i = 0; i < n; ++i) {
    if (pool.add_task([&sum, i] { sum.fetch_add(i, std::memory_order_relaxed); })) {
      bench::check(false, "a task was not taken");
    }
  }
  bench::check(!pool.wait(), "a task failed");
  bench::emit_per_op(a, start, n);
  bench::check(sum == n * (n - 1) / 2, "sum of the tasks");
}

const bench::workload registered{"worker_pool", worker_pool};

}  // namespace
