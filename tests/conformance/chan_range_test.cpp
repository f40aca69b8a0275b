// Ranging over a channel (behaviours RG).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <iterator>
#include <memory>
#include <numeric>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::recv_chan;
using runnel::send_chan;
using runnel::wait_group;

static_assert(std::ranges::input_range<const chan<int>> &&
              std::ranges::input_range<recv_chan<int>>);
static_assert(std::ranges::input_range<chan<std::unique_ptr<int>>>);
static_assert(std::ranges::input_range<chan<void>>);
static_assert(!std::ranges::forward_range<chan<int>>);
static_assert(!std::ranges::range<send_chan<int>>);  // CH-09

recv_chan<char> letters() {
  const chan<char> ch;
  runnel::go([ch] {
    for (char c = 'a'; c <= 'z'; ++c) ch.send(c);
    ch.close();
  });
  return ch;
}

MATRIX_TEST(ChanRange, GivesEverythingInOrderAndEnds_RG01) {
  std::string all;
  for (const char c : letters()) all += c;
  EXPECT_EQ(all, "abcdefghijklmnopqrstuvwxyz");
}

MATRIX_TEST_THREAD(ChanRangeThread, GivesEverythingInOrderAndEnds_RG01) {
  std::string all;
  for (const char c : letters()) all += c;
  EXPECT_EQ(all, "abcdefghijklmnopqrstuvwxyz");
}

MATRIX_TEST(ChanRange, RunsOnceForEachEvent_RG02) {
  const chan<void> events(3);
  runnel::go([events] {
    for (int i = 0; i < 26; ++i) events.send();
    events.close();
  });
  int n = 0;
  for ([[maybe_unused]] auto&& event : events) ++n;
  EXPECT_EQ(n, 26);
}

MATRIX_TEST(ChanRange, SeveralLoopsShareOneChannel_RG03) {
  const chan<int> ch(4);
  std::vector<std::atomic<int>> seen(500);
  wait_group loops;
  for (int g = 0; g < 5; ++g)
    loops.go([&] {
      for (const int v : ch) ++seen[static_cast<std::size_t>(v)];
    });
  for (int i = 0; i < 500; ++i) ch.send(i);
  ch.close();
  loops.wait();
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

MATRIX_TEST(ChanRange, WaitsForMoreUntilItIsClosed_RG04) {
  const chan<int> ch;
  std::atomic<int> got{0};
  wait_group loop;
  loop.go([&] {
    for (const int v : ch) got += v;
  });
  for (int i = 0; i < 3; ++i) {
    ch.send(1);
    ASSERT_TRUE(until_blocked("chan receive"));
    EXPECT_EQ(got, i + 1);
  }
  ch.close();
  loop.wait();
}

MATRIX_TEST(ChanRange, TheLoopKeepsNoSecondCopy_RG05) {
  const chan<std::shared_ptr<int>> ch(2);
  std::vector<std::weak_ptr<int>> watch;
  for (int i = 0; i < 2; ++i) {
    auto p = std::make_shared<int>(i);
    watch.push_back(p);
    ch.send(std::move(p));
  }
  ch.close();
  std::size_t i = 0;
  for (auto& p : ch) {
    EXPECT_EQ(watch[i].use_count(), 1);
    p.reset();
    EXPECT_TRUE(watch[i].expired());
    ++i;
  }
  EXPECT_EQ(i, 2U);
}

MATRIX_TEST(ChanRange, TheOldValueIsGoneBeforeTheNextIsAwaited_RG05) {
  const chan<std::shared_ptr<int>> ch;
  auto p = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = p;
  wait_group loop;
  loop.go([&] {
    for ([[maybe_unused]] const auto& v : ch) {
    }
  });
  ch.send(std::move(p));
  EXPECT_TRUE(eventually([&] { return watch.expired(); }));
  ch.close();
  loop.wait();
}

MATRIX_TEST(ChanRange, ElementsMayBeMovedOut) {
  const chan<std::unique_ptr<int>> ch(3);
  for (int i = 0; i < 3; ++i) ch.send(std::make_unique<int>(i));
  ch.close();
  std::vector<std::unique_ptr<int>> kept;
  for (auto&& p : ch) kept.push_back(std::move(p));
  ASSERT_EQ(kept.size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*kept[static_cast<std::size_t>(i)], i);
}

MATRIX_TEST(ChanRange, NeedsNoAssignment) {
  tally t;
  const chan<tracked> ch(3);
  for (int i = 0; i < 3; ++i) ch.send(tracked(t, i));
  ch.close();
  int expected = 0;
  for (const tracked& v : ch) EXPECT_EQ(v.value(), expected++);
  EXPECT_EQ(expected, 3);
  EXPECT_EQ(t.copied, 0);
  EXPECT_EQ(t.alive(), 0);
  EXPECT_EQ(t.broken, 0);
}

MATRIX_TEST(ChanRange, LeavingALoopLeavesTheRestInTheChannel) {
  const chan<int> ch(10);
  for (int i = 0; i < 10; ++i) ch.send(i);
  for (const int v : ch)
    if (v == 3) break;
  EXPECT_EQ(ch.len(), 6U);
  EXPECT_EQ(ch.recv(), 4);
}

MATRIX_TEST(ChanRange, TheRangeIsEvaluatedOnce) {
  chan<int> ch(3);
  for (int i = 0; i < 3; ++i) ch.send(i);
  ch.close();
  int n = 0;
  for ([[maybe_unused]] const int v : ch) {
    ch = chan<int>(1);  // the loop goes on with the channel it started with, as in Go
    ch.close();
    ++n;
  }
  EXPECT_EQ(n, 3);
}

MATRIX_TEST(ChanRange, WorksWithTheStandardsAlgorithmsAndViews) {
  const chan<int> ch(10);
  const auto fill = [](const chan<int>& c) {
    for (int i = 0; i < 10; ++i) c.send(i);
    c.close();
  };
  fill(ch);
  std::vector<int> odd;
  for (const int v : ch | std::views::filter([](int x) { return x % 2 == 1; }) |
                         std::views::transform([](int x) { return x * 10; }))
    odd.push_back(v);
  EXPECT_EQ(odd, (std::vector<int>{10, 30, 50, 70, 90}));

  const chan<int> second(10);
  fill(second);
  std::vector<int> copy;
  std::ranges::copy(second, std::back_inserter(copy));
  EXPECT_EQ(copy.size(), 10U);
  EXPECT_EQ(std::accumulate(copy.begin(), copy.end(), 0), 45);
}

}  // namespace
