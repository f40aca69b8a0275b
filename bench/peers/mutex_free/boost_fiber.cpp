// Lock and unlock, nobody else there.
#include "common/boost_fiber.hpp"

#include <mutex>

namespace {

namespace bf = boost::fibers;

void mutex_free(const bench::args& a) {
  const long n = a.count(50'000'000);
  bf::mutex m;
  bench::start_fiber([&] {
    long counter = 0;
    const auto start = bench::clock::now();
    for (long i = 0; i < n; ++i) {
      const std::scoped_lock lock(m);
      ++counter;
    }
    bench::emit_per_op(a, start, n);
    bench::check(counter == n, "count");
  }).join();
}

const bench::workload registered{"mutex_free", mutex_free};

}  // namespace
