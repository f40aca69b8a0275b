// A receive that does not block, on an empty channel.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void select_default(const bench::args& a) {
  const long n = a.count(50'000'000);
  bf::buffered_channel<int> ch(16);
  long missed = 0;
  int v;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    if (ch.try_pop(v) == bf::channel_op_status::empty) ++missed;
  }
  bench::emit_per_op(a, start, n);
  bench::check(missed == n, "number of misses");
}

const bench::workload registered{"select_default", select_default};

}  // namespace
