// Integers through a channel of capacity 128, from four producers to four consumers.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void buf_4p4c(const bench::args& a) {
  bf::buffered_channel<int> ch(128);
  bench::fiber_pipe(a, ch, 4, 4);
}

const bench::workload registered{"buf_4p4c", buf_4p4c};

}  // namespace
