// Tasks that do nothing, started in batches of 1000 and waited for.
#include <oneapi/tbb/task_group.h>

#include "common/bench.hpp"

namespace {

void spawn(const bench::args& a) {
  const long n = a.count(1'000'000);
  constexpr long batch = 1000;
  const auto start = bench::clock::now();
  for (long done = 0; done < n; done += batch) {
    tbb::task_group g;
    for (long i = 0; i < batch; ++i) g.run([] {});
    g.wait();
  }
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"spawn", spawn};

}  // namespace
