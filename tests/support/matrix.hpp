// The fixture of the behaviour tests: each body runs for max_procs 1, 2, 4 and 8, as a goroutine or on a plain
// thread, and must leave no goroutine behind.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <thread>

#include <runnel/go.hpp>
#include <runnel/time.hpp>

namespace runnel_test {

using namespace std::chrono_literals;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || \
    defined(RUNNEL_TEST_SLOW_MACHINE)
inline constexpr std::size_t slowdown = 20;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr std::size_t slowdown = 20;
#else
inline constexpr std::size_t slowdown = 1;
#endif
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

class matrix : public ::testing::TestWithParam<int> {
 protected:
  int procs() const { return GetParam(); }

  template <class F>
  void in_goroutine(F body) {
    runnel::run({.max_procs = procs()}, [&] { check_leaks(body); });
  }

  template <class F>
  void on_thread(F body) {
    runnel::run({.max_procs = procs()}, [&] {
      check_leaks([&] {
        bool done = false;
        std::thread t([&] {
          body();
          done = true;
        });
        runnel::blocking([&] { t.join(); });
        EXPECT_TRUE(done);
      });
    });
  }

 private:
  template <class F>
  void check_leaks(F&& body) {
    // What an earlier test in this process left may still be ending.
    (void)eventually([] { return runnel::num_goroutines() == 1; }, 100ms);
    const std::size_t before = runnel::num_goroutines();
    body();
    EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() <= before; }))
        << "goroutines left behind: " << runnel::num_goroutines() - before;
  }
};

inline std::string proc_name(const ::testing::TestParamInfo<int>& info) {
  return "procs" + std::to_string(info.param);
}

}  // namespace runnel_test

#define RUNNEL_MATRIX_TEST_(suite, name, where)                                   \
  class suite##_##name : public ::runnel_test::matrix {                           \
   protected:                                                                     \
    void body();                                                                  \
  };                                                                              \
  TEST_P(suite##_##name, runs) {                                                  \
    where([this] { body(); });                                                    \
  }                                                                               \
  INSTANTIATE_TEST_SUITE_P(matrix, suite##_##name, ::testing::Values(1, 2, 4, 8), \
                           ::runnel_test::proc_name);                             \
  void suite##_##name::body()

#define MATRIX_TEST(suite, name) RUNNEL_MATRIX_TEST_(suite, name, in_goroutine)
#define MATRIX_TEST_THREAD(suite, name) RUNNEL_MATRIX_TEST_(suite, name, on_thread)
