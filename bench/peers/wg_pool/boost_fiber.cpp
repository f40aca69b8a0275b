// Four workers between two unbuffered channels, one of tasks and one of results.
#include "common/boost_fiber.hpp"

#include <functional>

namespace {

namespace bf = boost::fibers;

void wg_pool(const bench::args& a) {
  bf::unbuffered_channel<std::function<long()>> tasks;
  bf::unbuffered_channel<long> results;
  bench::fiber_pool_workload(a, tasks, results);
}

const bench::workload registered{"wg_pool", wg_pool};

}  // namespace
