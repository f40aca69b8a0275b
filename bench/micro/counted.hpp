// What every micro benchmark shares: a count of allocations beside its time.
#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

namespace micro {

// Calls of operator new so far, by all threads.
std::uint64_t allocations() noexcept;

// Shows as "allocs" how many allocations there were per iteration while this object lived.
class counted {
 public:
  explicit counted(benchmark::State& state) : state_(state), before_(allocations()) {}
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() {
    const auto made = static_cast<double>(allocations() - before_);
    state_.counters["allocs"] = benchmark::Counter(made, benchmark::Counter::kAvgIterations);
  }

 private:
  benchmark::State& state_;
  std::uint64_t before_;
};

}  // namespace micro
