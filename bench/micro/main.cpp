// Micro benchmarks of single operations. They run in the main goroutine, one after another;
// $RUNNEL_MAXPROCS sets the number of processors. Arguments are Google Benchmark's.
#include <benchmark/benchmark.h>

#include <runnel/go.hpp>

#include "../../tests/support/counting_new.hpp"
#include "counted.hpp"

std::uint64_t micro::allocations() noexcept {
  return runnel_test::news.load(std::memory_order_relaxed);
}

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  runnel::run({.stack_size = 1U << 20}, [] { benchmark::RunSpecifiedBenchmarks(); });
}
