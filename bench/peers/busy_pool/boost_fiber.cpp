// wg_pool with tasks of five microseconds.
#include "common/boost_fiber.hpp"

#include <cstdint>
#include <functional>

namespace {

namespace bf = boost::fibers;

void busy_pool(const bench::args& a) {
  const long n = a.count(100'000);
  bf::unbuffered_channel<std::function<long()>> tasks;
  bf::unbuffered_channel<long> results;
  const auto start = bench::clock::now();
  const long sum = bench::fiber_pool(tasks, results, n, [](long i) {
    return [i] { return bench::busy(static_cast<std::uint64_t>(i), 5) != 0 ? i : 0; };
  });
  bench::emit_per_op(a, start, n);
  bench::check(sum == n * (n - 1) / 2, "sum of the results");
}

const bench::workload registered{"busy_pool", busy_pool};

}  // namespace
