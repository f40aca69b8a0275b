// Fork and join without a cut-off: a task for one half of every call that recurses.
#include <oneapi/tbb/task_group.h>

#include "common/bench.hpp"

namespace {

int task(int k) {
  if (k < 2) return k;
  int x = 0;
  tbb::task_group g;
  g.run([&x, k] { x = task(k - 1); });
  const int y = task(k - 2);
  g.wait();
  return x + y;
}

void fib(const bench::args& a) {
  const int k = static_cast<int>(a.count(30));
  const auto start = bench::clock::now();
  const int result = task(k);
  bench::emit(a.workload, a, bench::ns_since(start) / 1e6, "ms");
  bench::check(result == bench::fib_sequential(k), "fib");
}

const bench::workload registered{"fib", fib};

}  // namespace
