// The fixture of the behaviour tests: each body runs for max_procs 1, 2, 4 and 8, as a goroutine or on a plain
// thread, and must leave no goroutine behind.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

#include <runnel/detail/config.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>

namespace runnel_test {

using namespace std::chrono_literals;

#if RUNNEL_TSAN || RUNNEL_ASAN || defined(RUNNEL_TEST_SLOW_MACHINE)
inline constexpr std::size_t slowdown = 20;
#else
inline constexpr std::size_t slowdown = 1;
#endif

/// `n` divided by 20 (but at least 1) where instrumentation or emulation makes everything slow.
template <class T>
constexpr T scaled(T n) {
  T s = n / static_cast<T>(slowdown);
  return s > 0 ? s : T{1};
}

/// Polls `pred` until it holds or `limit` has passed; returns its last value.
template <class P>
bool eventually(P pred, std::chrono::nanoseconds limit = 10s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!pred()) {
    if (std::chrono::steady_clock::now() >= end) return pred();
    runnel::sleep_for(1ms);
  }
  return true;
}

/// The number of processors that the test under way runs with.
int procs() noexcept;

using matrix_body = void (*)();

/// Adds the tests `matrix/NAME.runs/procsN`, N = 1, 2, 4 and 8. Not by INSTANTIATE_TEST_SUITE_P, whose templates take half
/// a second to compile for each test.
struct matrix_registration {
  matrix_registration(const char* name, matrix_body body, bool on_thread, const char* file,
                      int line);
};

}  // namespace runnel_test

#define RUNNEL_MATRIX_TEST_(id, on_thread)                                                        \
  static void id();                                                                               \
  static const ::runnel_test::matrix_registration id##_registration(#id, id, on_thread, __FILE__, \
                                                                    __LINE__);                    \
  static void id()

#define MATRIX_TEST(suite, name) RUNNEL_MATRIX_TEST_(suite##_##name, false)
#define MATRIX_TEST_THREAD(suite, name) RUNNEL_MATRIX_TEST_(suite##_##name, true)
