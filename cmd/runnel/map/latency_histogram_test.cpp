// White box: percentiles and buckets.
#include "map/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <vector>

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(latency_histogram_test, none_have_no_buckets_and_percentiles_of_zero) {
  const latency_histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.percentile(50), 0ns);
  EXPECT_EQ(h.max(), 0ns);
  EXPECT_TRUE(h.buckets().empty());
}

TEST(latency_histogram_test, one_is_every_percentile_exactly) {
  latency_histogram h;
  h.add(123'456'789ns);
  for (const double p : {0.0, 50.0, 99.0, 100.0}) EXPECT_EQ(h.percentile(p), 123'456'789ns);
  EXPECT_EQ(h.max(), 123'456'789ns);
}

TEST(latency_histogram_test, small_values_are_exact_and_ranks_are_the_nearest) {
  latency_histogram h;
  for (int i = 1; i <= 100; ++i) h.add(nanoseconds(i));
  EXPECT_EQ(h.percentile(50), 50ns);
  EXPECT_EQ(h.percentile(90), 90ns);
  EXPECT_EQ(h.percentile(99), 99ns);
  EXPECT_EQ(h.percentile(100), 100ns);
  EXPECT_EQ(h.percentile(0), 1ns);
  EXPECT_EQ(h.percentile(50.5), 51ns);
}

TEST(latency_histogram_test, percentiles_are_within_their_error_over_many_magnitudes) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(0, 17);
  latency_histogram h;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(static_cast<std::int64_t>(std::pow(10, exponent(random))));
    h.add(nanoseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double p : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * 20'000));
    const auto exact = static_cast<double>(all[rank - 1]);
    EXPECT_NEAR(static_cast<double>(h.percentile(p).count()), exact, exact / 1024) << p;
  }
}

TEST(latency_histogram_test, buckets_end_at_1_2_5_and_hold_their_lower_edge) {
  latency_histogram h;
  h.add(999'999ns);
  h.add(1ms);
  h.add(1'999'999ns);
  h.add(5ms);
  const auto buckets = h.buckets();
  ASSERT_EQ(buckets.size(), 4u);
  const std::vector<nanoseconds> lows = {500us, 1ms, 2ms, 5ms};
  const std::vector<nanoseconds> highs = {1ms, 2ms, 5ms, 10ms};
  const std::vector<std::uint64_t> counts = {1, 2, 0, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(buckets[i].low, lows[i]);
    EXPECT_EQ(buckets[i].high, highs[i]);
    EXPECT_EQ(buckets[i].count, counts[i]);
  }
}

TEST(latency_histogram_test, the_shortest_and_the_longest_durations_have_buckets) {
  latency_histogram h;
  h.add(-5s);
  h.add(0ns);
  h.add(nanoseconds::max());
  EXPECT_EQ(h.percentile(0), 0ns);
  EXPECT_EQ(h.max(), nanoseconds::max());
  EXPECT_NEAR(static_cast<double>(h.percentile(100).count()), 9.22e18, 9.22e18 / 512);
  const auto buckets = h.buckets();
  EXPECT_EQ(buckets.front().low, 0ns);
  EXPECT_EQ(buckets.front().count, 2u);
  EXPECT_FALSE(buckets.back().high.has_value());
  EXPECT_EQ(buckets.back().low, 1'000'000s);
  EXPECT_EQ(buckets.back().count, 1u);
}

}  // namespace
}  // namespace runnel_cli
