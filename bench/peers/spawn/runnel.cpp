// Goroutines that do nothing, started in batches of 1000 and waited for.
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

void spawn(const bench::args& a) {
  const long n = a.count(1'000'000);
  constexpr long batch = 1000;
  const auto start = bench::clock::now();
  for (long done = 0; done < n; done += batch) {
    runnel::wait_group wg;
    wg.add(batch);
    for (long i = 0; i < batch; ++i) runnel::go([&wg] { wg.done(); });
    wg.wait();
  }
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"spawn", spawn};

}  // namespace
