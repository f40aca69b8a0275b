// Eight goroutines on one mutex.
#include <mutex>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

void mutex_8(const bench::args& a) {
  const long each = a.count(8'000'000) / 8;
  runnel::mutex m;
  runnel::wait_group wg;
  long counter = 0;
  const auto start = bench::clock::now();
  for (int g = 0; g < 8; ++g) {
    wg.go([&] {
      for (long i = 0; i < each; ++i) {
        const std::scoped_lock lock(m);
        ++counter;
      }
    });
  }
  wg.wait();
  bench::emit_per_op(a, start, 8 * each);
  bench::check(counter == 8 * each, "count");
}

const bench::workload registered{"mutex_8", mutex_8};

}  // namespace
