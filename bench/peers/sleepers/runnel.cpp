// Many goroutines that each sleep three times for 1 to 500 ms: what that costs in CPU time, and how
// long it takes.
#include <cstdint>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "common/bench.hpp"

namespace {

void sleepers(const bench::args& a) {
  const long n = a.count(100'000);
  const double cpu_before = bench::cpu_seconds();
  const auto start = bench::clock::now();
  runnel::wait_group wg;
  for (long i = 0; i < n; ++i) {
    wg.go([i] {
      bench::sleep_lengths lengths(static_cast<std::uint64_t>(i));
      for (int k = 0; k < 3; ++k) runnel::sleep_for(lengths.next());
    });
  }
  wg.wait();
  const double wall = bench::ns_since(start) / 1e9;
  bench::emit("sleepers_cpu", a, bench::cpu_seconds() - cpu_before, "s");
  bench::emit("sleepers_wall", a, wall, "s");
}

const bench::workload registered{"sleepers", sleepers};

}  // namespace
