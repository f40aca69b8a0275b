// A receive with a timeout of ten seconds that never comes. There is no select: the receive takes
// the timeout.
#include "common/boost_fiber.hpp"

#include <chrono>

namespace {

namespace bf = boost::fibers;

void after_select(const bench::args& a) {
  const long n = a.count(1'000'000);
  bf::unbuffered_channel<long> ch;
  bf::fiber producer = bench::start_fiber([&] {
    for (long i = 0; i < n; ++i) ch.push(i);
  });
  bf::fiber consumer = bench::start_fiber([&] {
    long v;
    long sum = 0;
    const auto start = bench::clock::now();
    for (long i = 0; i < n; ++i) {
      const auto status = ch.pop_wait_for(v, std::chrono::seconds(10));
      bench::check(status == bf::channel_op_status::success, "a timeout");
      sum += v;
    }
    bench::emit_per_op(a, start, n);
    bench::check(sum == n * (n - 1) / 2, "sum of what was received");
  });
  producer.join();
  consumer.join();
}

const bench::workload registered{"after_select", after_select};

}  // namespace
