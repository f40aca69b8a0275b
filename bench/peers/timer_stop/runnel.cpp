// Make a timer ten seconds ahead and stop it.
#include <chrono>
#include <runnel/time.hpp>

#include "common/bench.hpp"

namespace {

void timer_stop(const bench::args& a) {
  using namespace std::chrono_literals;
  const long n = a.count(5'000'000);
  long stopped = 0;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    runnel::timer t(10s);
    if (t.stop()) ++stopped;
  }
  bench::emit_per_op(a, start, n);
  bench::check(stopped == n, "timers kept from firing");
}

const bench::workload registered{"timer_stop", timer_stop};

}  // namespace
