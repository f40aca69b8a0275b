// The parts of a worker pool: its queue, its tasks and its histograms.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <runnel/context.hpp>
#include <runnel/detail/pool_task.hpp>
#include <utility>
#include <vector>

#include "worker_pool/latency.hpp"
#include "worker_pool/task_queue.hpp"

namespace {

using runnel::background;
using runnel::error;
using runnel::detail::latency_histogram;
using runnel::detail::pool_task;
using runnel::detail::task_queue;

TEST(TaskQueue, IsFirstInFirstOutAcrossBlocks) {
  task_queue queue;
  std::vector<int> ran;
  int in = 0;
  int out = 0;
  // Grows and drains by turns, to lengths around the size of a block.
  for (const int length : {1, 31, 32, 33, 100, 3, 64, 0}) {
    for (; in - out < length + 5; ++in) queue.push([&ran, in] { ran.push_back(in); }, in);
    for (; in - out > length; ++out) {
      pool_task t;
      EXPECT_EQ(queue.pop(t), out);
      EXPECT_FALSE(t(background()));
    }
    EXPECT_EQ(queue.size(), static_cast<std::size_t>(length));
  }
  EXPECT_TRUE(queue.empty());
  ASSERT_EQ(ran.size(), static_cast<std::size_t>(in));
  for (std::size_t i = 0; i < ran.size(); ++i) EXPECT_EQ(ran[i], static_cast<int>(i));
}

TEST(TaskQueue, SwapsAndDestroysWhatIsInIt) {
  const auto token = std::make_shared<int>(1);
  {
    task_queue queue;
    for (int i = 0; i < 100; ++i) queue.push([token] {}, 0);
    pool_task t;
    queue.pop(t);
    t.reset();
    EXPECT_EQ(token.use_count(), 100);
    task_queue other;
    other.swap(queue);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(other.size(), 99u);
    queue.push([token] {}, 0);
    EXPECT_EQ(token.use_count(), 101);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(PoolTask, KeepsSmallAndLargeCallables) {
  const auto token = std::make_shared<int>(1);
  const std::array<char, 100> large{};
  for (const bool big : {false, true}) {
    int calls = 0;
    pool_task a = big ? pool_task([&calls, token, large]() -> error {
      ++calls;
      return large[0] == 0 ? error() : error("changed");
    })
                      : pool_task([&calls, token] { ++calls; });
    EXPECT_EQ(token.use_count(), 2);
    pool_task b = std::move(a);
    EXPECT_FALSE(static_cast<bool>(a));  // NOLINT: the moved-from state is empty
    EXPECT_EQ(token.use_count(), 2);
    EXPECT_FALSE(b(background()));
    EXPECT_FALSE(b(background())) << "may be called again";
    EXPECT_EQ(calls, 2);
    b = pool_task();
    EXPECT_EQ(token.use_count(), 1);
  }
}

TEST(LatencyHistogram, PercentilesAreWithinAnEighth) {
  latency_histogram h;
  for (int i = 1; i <= 100'000; ++i) h.add(i);
  const auto s = h.summary();
  EXPECT_EQ(s.count, 100'000u);
  EXPECT_EQ(s.max.count(), 100'000);
  EXPECT_EQ(s.mean.count(), 50'000);
  const auto near = [](std::chrono::nanoseconds found, double exact) {
    const auto value = static_cast<double>(found.count());
    return value >= exact && value <= exact * 1.125;
  };
  EXPECT_TRUE(near(s.p50, 50'000)) << s.p50.count();
  EXPECT_TRUE(near(s.p90, 90'000)) << s.p90.count();
  EXPECT_TRUE(near(s.p99, 99'000)) << s.p99.count();
  EXPECT_LE(s.p999, s.max);
}

TEST(LatencyHistogram, TakesEveryValue) {
  latency_histogram h;
  EXPECT_EQ(h.summary().count, 0u);
  h.add(-5);
  EXPECT_EQ(h.summary().max.count(), 0);
  h.add(3);
  h.add(std::numeric_limits<std::int64_t>::max());
  const auto s = h.summary();
  EXPECT_EQ(s.p50.count(), 3) << "small values are exact";
  EXPECT_EQ(s.max.count(), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
