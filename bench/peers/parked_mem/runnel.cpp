// Goroutines parked on a receive: resident memory of each.
#include <chrono>
#include <cstdlib>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>

#include "common/bench.hpp"

namespace {

void parked_mem(const bench::args& a) {
  const long n = a.count(1'000'000);
  const runnel::chan<int> release;
  const long before = bench::rss_bytes();
  for (long i = 0; i < n; ++i) runnel::go([&release] { release.recv(); });
  runnel::sleep_for(std::chrono::seconds(2));  // lets every goroutine reach its receive
  const long after = bench::rss_bytes();
  bench::emit(a.workload, a, static_cast<double>(after - before) / static_cast<double>(n), "bytes");
  std::_Exit(0);
}

const bench::workload registered{"parked_mem", parked_mem};

}  // namespace
