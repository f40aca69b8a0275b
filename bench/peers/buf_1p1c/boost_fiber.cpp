// Integers through a channel of capacity 128.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void buf_1p1c(const bench::args& a) {
  bf::buffered_channel<int> ch(128);
  bench::fiber_pipe(a, ch, 1, 1);
}

const bench::workload registered{"buf_1p1c", buf_1p1c};

}  // namespace
