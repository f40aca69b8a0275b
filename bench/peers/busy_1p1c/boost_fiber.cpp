// buf_1p1c with two microseconds of work on each side.
#include "common/boost_fiber.hpp"

#include <cstdint>

namespace {

namespace bf = boost::fibers;

void busy_1p1c(const bench::args& a) {
  const long n = a.count(200'000);
  bf::buffered_channel<std::uint64_t> ch(128);
  const auto start = bench::clock::now();
  bf::fiber producer = bench::start_fiber([&] {
    for (long i = 0; i < n; ++i) ch.push(bench::busy(static_cast<std::uint64_t>(i), 2));
    ch.close();
  });
  long received = 0;
  std::uint64_t mixed = 0;
  bf::fiber consumer = bench::start_fiber([&] {
    std::uint64_t v;
    while (ch.pop(v) == bf::channel_op_status::success) {
      mixed ^= bench::busy(v, 2);
      ++received;
    }
  });
  producer.join();
  consumer.join();
  bench::emit_per_op(a, start, n);
  bench::check(received == n && mixed != 0, "items received");
}

const bench::workload registered{"busy_1p1c", busy_1p1c};

}  // namespace
