// Integers through an unbuffered channel.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void unbuf_1p1c(const bench::args& a) {
  bf::unbuffered_channel<int> ch;
  bench::fiber_pipe(a, ch, 1, 1);
}

const bench::workload registered{"unbuf_1p1c", unbuf_1p1c};

}  // namespace
