// Lock and unlock, nobody else there.
#include <mutex>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

void mutex_free(const bench::args& a) {
  const long n = a.count(100'000'000);
  runnel::mutex m;
  long counter = 0;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    const std::scoped_lock lock(m);
    ++counter;
  }
  bench::emit_per_op(a, start, n);
  bench::check(counter == n, "count");
}

const bench::workload registered{"mutex_free", mutex_free};

}  // namespace
