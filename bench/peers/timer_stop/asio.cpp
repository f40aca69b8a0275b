// Make a timer ten seconds ahead, wait for it asynchronously and cancel it; cancelled handlers run
// in batches of 1000.
#include <boost/asio.hpp>
#include <chrono>

#include "common/bench.hpp"

namespace {

void timer_stop(const bench::args& a) {
  const long n = a.count(5'000'000);
  boost::asio::io_context io(1);
  long cancelled = 0;
  const auto run_handlers = [&io] {
    io.restart();
    io.poll();
  };
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    boost::asio::steady_timer t(io, std::chrono::seconds(10));
    t.async_wait([&cancelled](boost::system::error_code) { ++cancelled; });
    t.cancel();
    if (i % 1000 == 999) run_handlers();
  }
  run_handlers();
  bench::emit_per_op(a, start, n);
  bench::check(cancelled == n, "cancelled handlers");
}

const bench::workload registered{"timer_stop", timer_stop};

}  // namespace
