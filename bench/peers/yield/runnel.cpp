// Two goroutines that only yield.
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

void yield(const bench::args& a) {
  const long n = a.count(5'000'000);
  runnel::wait_group wg;
  const auto start = bench::clock::now();
  for (int g = 0; g < 2; ++g) {
    wg.go([n] {
      for (long i = 0; i < n; ++i) runnel::yield();
    });
  }
  wg.wait();
  bench::emit_per_op(a, start, 2 * n);
}

const bench::workload registered{"yield", yield};

}  // namespace
