// Fibers parked on a receive: resident memory of each.
#include "common/boost_fiber.hpp"

#include <chrono>
#include <cstdlib>

namespace {

namespace bf = boost::fibers;

void parked_mem(const bench::args& a) {
  const long n = a.count(1'000'000);
  bf::buffered_channel<int> release(16);
  const long before = bench::rss_bytes();
  for (long i = 0; i < n; ++i) bench::start_fiber([&] { release.value_pop(); }).detach();
  boost::this_fiber::sleep_for(std::chrono::seconds(2));  // lets every fiber reach its receive
  const long after = bench::rss_bytes();
  bench::emit(a.workload, a, static_cast<double>(after - before) / static_cast<double>(n), "bytes");
  std::_Exit(0);
}

const bench::workload registered{"parked_mem", parked_mem};

}  // namespace
