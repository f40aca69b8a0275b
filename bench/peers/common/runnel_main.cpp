// The runnel peer: picks a workload and runs it in the main goroutine.
#include <runnel/go.hpp>

#include "common/bench.hpp"

int main(int argc, char** argv) {
  const bench::args a = bench::parse(argc, argv);
  const auto run_workload = bench::workload::find(a.workload);
  runnel::run({.max_procs = a.threads}, [&] { run_workload(a); });
}
