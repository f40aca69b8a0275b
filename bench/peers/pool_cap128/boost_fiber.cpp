// Four workers between two channels of capacity 128, one of tasks and one of results.
#include "common/boost_fiber.hpp"

#include <functional>

namespace {

namespace bf = boost::fibers;

void pool_cap128(const bench::args& a) {
  bf::buffered_channel<std::function<long()>> tasks(128);
  bf::buffered_channel<long> results(128);
  bench::fiber_pool_workload(a, tasks, results);
}

const bench::workload registered{"pool_cap128", pool_cap128};

}  // namespace
