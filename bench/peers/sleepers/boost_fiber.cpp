// Many fibers that each sleep three times for 1 to 500 ms: CPU time, and how long it takes.
#include "common/boost_fiber.hpp"

#include <cstdint>

namespace {

namespace bf = boost::fibers;

void sleepers(const bench::args& a) {
  const long n = a.count(100'000);
  const double cpu_before = bench::cpu_seconds();
  const auto start = bench::clock::now();
  bench::fiber_wait_group wg(n);
  for (long i = 0; i < n; ++i) {
    bench::start_fiber([&wg, i] {
      bench::sleep_lengths lengths(static_cast<std::uint64_t>(i));
      for (int k = 0; k < 3; ++k) boost::this_fiber::sleep_for(lengths.next());
      wg.done();
    }).detach();
  }
  wg.wait();
  const double wall = bench::ns_since(start) / 1e9;
  bench::emit("sleepers_cpu", a, bench::cpu_seconds() - cpu_before, "s");
  bench::emit("sleepers_wall", a, wall, "s");
}

const bench::workload registered{"sleepers", sleepers};

}  // namespace
