// Micro benchmarks of single operations. They run in the main goroutine, one after another;
// $RUNNEL_MAXPROCS sets the number of processors. Arguments are Google Benchmark's.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <runnel/go.hpp>

#include "counted.hpp"

namespace {

std::atomic<std::uint64_t> made = 0;

void* counted_allocation(std::size_t size) {
  made.fetch_add(1,
                 std::memory_order_relaxed);  // relaxed: a statistic, read when the goroutines rest
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}

}  // namespace

std::uint64_t micro::allocations() noexcept { return made.load(std::memory_order_relaxed); }

void* operator new(std::size_t size) { return counted_allocation(size); }
void* operator new[](std::size_t size) { return counted_allocation(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  runnel::run({.stack_size = 1U << 20}, [] { benchmark::RunSpecifiedBenchmarks(); });
}
