// latch and barrier: the standard's interfaces.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::latch;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<latch>);

MATRIX_TEST(Latch, OpensAtZeroForEverybody) {
  latch l(3);
  std::atomic<int> arrived{0};
  wait_group all;
  for (int i = 0; i < 4; ++i)
    all.go([&] {
      l.wait();
      EXPECT_EQ(arrived, 3);
    });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(l.try_wait());
    ++arrived;
    l.count_down();
  }
  EXPECT_TRUE(l.try_wait());
  l.wait();
  all.wait();
}

MATRIX_TEST(Latch, CountsDownBySeveral) {
  latch l(5);
  l.count_down(2);
  l.count_down(0);
  EXPECT_FALSE(l.try_wait());
  l.count_down(3);
  EXPECT_TRUE(l.try_wait());
  latch open(0);
  open.wait();
}

MATRIX_TEST(Latch, ArriveAndWaitMeets) {
  latch l(5);
  std::atomic<int> before{0};
  wait_group all;
  for (int i = 0; i < 3; ++i)
    all.go([&] {
      ++before;
      l.arrive_and_wait();
      EXPECT_EQ(before, 4);
    });
  ++before;
  l.arrive_and_wait(2);
  EXPECT_EQ(before, 4);
  all.wait();
}

MATRIX_TEST(Latch, MayBeDestroyedAsSoonAsWaitReturns) {
  for (int i = 0; i < scaled(5000); ++i) {
    auto l = std::make_unique<latch>(1);
    runnel::go([p = l.get()] { p->count_down(); });
    if (i % 2 == 0) runnel::yield();
    l->wait();
    l.reset();
  }
}

MATRIX_TEST_THREAD(Latch, WorksBetweenThreadsAndGoroutines) {
  for (int i = 0; i < scaled(300); ++i) {
    latch l(2);
    runnel::go([&] { l.count_down(); });
    l.arrive_and_wait();
  }
}

MATRIX_TEST(Barrier, SeparatesPhases) {
  constexpr int n = 6;
  constexpr int phases = 50;
  runnel::barrier b(n);
  std::vector<std::atomic<int>> arrived(phases);
  wait_group all;
  for (int g = 0; g < n; ++g)
    all.go([&] {
      for (std::size_t p = 0; p < phases; ++p) {
        ++arrived[p];
        b.arrive_and_wait();
        EXPECT_EQ(arrived[p], n);
      }
    });
  all.wait();
}

MATRIX_TEST(Barrier, TheCompletionRunsOncePerPhaseBeforeAnybodyGoesOn) {
  constexpr int n = 4;
  int completions = 0;
  runnel::barrier b(n, [&]() noexcept { ++completions; });
  wait_group all;
  for (int g = 0; g < n; ++g)
    all.go([&] {
      for (int phase = 1; phase <= 20; ++phase) {
        b.arrive_and_wait();
        EXPECT_GE(completions, phase);
        b.arrive_and_wait();  // keeps the next phase from completing while this one is checked
        EXPECT_GE(completions, phase + 1);
      }
    });
  all.wait();
  EXPECT_EQ(completions, 40);
}

MATRIX_TEST(Barrier, ArriveGivesATokenToWaitWith) {
  runnel::barrier b(2);
  std::atomic<bool> passed{false};
  wait_group all;
  all.go([&] {
    b.arrive_and_wait();
    passed = true;
  });
  runnel::yield();
  EXPECT_FALSE(passed);
  auto token = b.arrive();
  b.wait(std::move(token));
  all.wait();
  EXPECT_TRUE(passed);
}

MATRIX_TEST(Barrier, ArriveAndDropLowersTheCount) {
  runnel::barrier b(3);
  wait_group all;
  for (int i = 0; i < 2; ++i)
    all.go([&] {
      b.arrive_and_wait();
      b.arrive_and_wait();
    });
  b.arrive_and_drop();
  all.wait();
}

MATRIX_TEST_THREAD(Barrier, WorksBetweenThreadsAndGoroutines) {
  runnel::barrier b(2);
  wait_group all;
  all.go([&] {
    for (int i = 0; i < scaled(200); ++i) b.arrive_and_wait();
  });
  for (int i = 0; i < scaled(200); ++i) b.arrive_and_wait();
  all.wait();
}

}  // namespace
