#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include <runnel/detail/park.hpp>

#include "base/clock.hpp"

namespace {

using runnel::detail::now_ns;
using runnel::detail::rough_now_ns;

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t most_ahead = 200;

// Long enough for the pace of the counter to be measured, and for many readings.
void compare_clocks(std::int64_t duration) {
  const std::int64_t end = now_ns() + duration;
  std::int64_t behind = 0;
  std::int64_t ahead = 0;
  for (std::int64_t before = now_ns(); before < end;) {
    const std::int64_t rough = rough_now_ns();
    const std::int64_t after = now_ns();
    behind = std::max(behind, before - rough);
    ahead = std::max(ahead, rough - after);
    before = after;
  }
  EXPECT_EQ(behind, 0);
  EXPECT_LE(ahead, most_ahead);
}

TEST(Clock, TheRoughOneIsNeverBehindAndHardlyAhead) {
  runnel::detail::choose_clock();
  compare_clocks(100 * ms);
}

TEST(Clock, TheSameOnManyThreadsThatChangeCores) {
  runnel::detail::choose_clock();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([] { compare_clocks(200 * ms); });
  for (auto& t : threads) t.join();
}

TEST(Clock, ADeadlineComesWithTheSystemsClock) {
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t deadline = rough_now_ns() + 5'000;
    while (!runnel::detail::has_come(deadline)) {
    }
    EXPECT_GE(now_ns(), deadline);
  }
  EXPECT_TRUE(runnel::detail::has_come(now_ns()));
}

}  // namespace
