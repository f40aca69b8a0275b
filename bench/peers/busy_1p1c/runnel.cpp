// buf_1p1c with two microseconds of work on each side.
#include <cstdint>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>

#include "common/bench.hpp"

namespace {

void busy_1p1c(const bench::args& a) {
  const long n = a.count(200'000);
  const runnel::chan<std::uint64_t> ch(128);
  const auto start = bench::clock::now();
  runnel::go([ch, n] {
    for (long i = 0; i < n; ++i) ch.send(bench::busy(static_cast<std::uint64_t>(i), 2));
    ch.close();
  });
  long received = 0;
  std::uint64_t mixed = 0;
  while (const auto v = ch.recv()) {
    mixed ^= bench::busy(*v, 2);
    ++received;
  }
  bench::emit_per_op(a, start, n);
  bench::check(received == n && mixed != 0, "items received");
}

const bench::workload registered{"busy_1p1c", busy_1p1c};

}  // namespace
