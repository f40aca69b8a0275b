// Two fibers that only yield.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void yield(const bench::args& a) {
  const long n = a.count(5'000'000);
  const auto body = [n] {
    for (long i = 0; i < n; ++i) boost::this_fiber::yield();
  };
  const auto start = bench::clock::now();
  bf::fiber one = bench::start_fiber(body);
  bf::fiber two = bench::start_fiber(body);
  one.join();
  two.join();
  bench::emit_per_op(a, start, 2 * n);
}

const bench::workload registered{"yield", yield};

}  // namespace
