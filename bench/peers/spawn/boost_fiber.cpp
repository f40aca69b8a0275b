// Fibers that do nothing, started in batches of 1000 and waited for.
#include "common/boost_fiber.hpp"

#include <memory>

namespace {

namespace bf = boost::fibers;

void spawn(const bench::args& a) {
  const long n = a.count(1'000'000);
  constexpr long batch = 1000;
  const auto start = bench::clock::now();
  for (long done = 0; done < n; done += batch) {
    const auto wg = std::make_shared<bench::fiber_wait_group>(batch);
    for (long i = 0; i < batch; ++i) bench::start_fiber([wg] { wg->done(); }).detach();
    wg->wait();
  }
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"spawn", spawn};

}  // namespace
