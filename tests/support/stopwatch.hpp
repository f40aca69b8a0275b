// Measuring in tests: lower bounds are strict, upper bounds generous (the machine may be small and busy).
#pragma once
#include <chrono>

#include <runnel/time.hpp>

#include "matrix.hpp"

namespace runnel_test {

/// How much longer than nominal something may take before a test calls it late.
#ifdef __OPTIMIZE__
inline constexpr int patience = slowdown > 1 ? 10 : 1;
#else
inline constexpr int patience = 10;
#endif

class stopwatch {
 public:
  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - start_; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace runnel_test
