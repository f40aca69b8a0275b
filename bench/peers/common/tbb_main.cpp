// The oneTBB peer (tasks only: it has no fibers, channels or timers).
#include <oneapi/tbb/global_control.h>

#include <cstddef>

#include "common/bench.hpp"

int main(int argc, char** argv) {
  const bench::args a = bench::parse(argc, argv);
  const auto run_workload = bench::workload::find(a.workload);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(a.threads));
  run_workload(a);
}
