// The Boost.Asio peer: one thread, callbacks.
#include "common/bench.hpp"

int main(int argc, char** argv) {
  const bench::args a = bench::parse(argc, argv);
  bench::workload::find(a.workload)(a);
}
