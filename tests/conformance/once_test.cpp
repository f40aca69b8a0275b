// once and once_value.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::once;
using runnel::once_value;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<once>);

MATRIX_TEST(Once, RunsOnceAndEveryCallerSeesItsEffect_ON01) {
  for (int round = 0; round < scaled(200); ++round) {
    once o;
    int effect = 0;
    wait_group all;
    for (int i = 0; i < 10; ++i)
      all.go([&] {
        o.call([&] {
          if (round % 10 == 0) runnel::yield();
          ++effect;
        });
        EXPECT_EQ(effect, 1);
      });
    all.wait();
    EXPECT_EQ(effect, 1);
  }
}

MATRIX_TEST(Once, LateCallersWaitForTheFirst_ON01) {
  once o;
  runnel::chan<void> inside;
  runnel::chan<void> finish;
  bool done = false;
  wait_group all;
  all.go([&] {
    o.call([&] {
      inside.send();
      finish.recv();
      done = true;
    });
  });
  inside.recv();
  runnel::chan<bool> late(3);
  for (int i = 0; i < 3; ++i)
    all.go([&] {
      o.call([] { ADD_FAILURE() << "ran twice"; });
      late.send(done);
    });
  EXPECT_TRUE(late.recv_for(10ms).timed_out());
  finish.send();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(late.recv(), true);
  all.wait();
}

MATRIX_TEST(Once, AFunctionThatThrowsCountsAsDone_ON02) {
  once o;
  int runs = 0;
  const auto thrower = [&] {
    ++runs;
    throw std::runtime_error("first");
  };
  EXPECT_THROW(o.call(thrower), std::runtime_error);
  EXPECT_NO_THROW(o.call(thrower));
  o.call([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

MATRIX_TEST(Once, WaitersOfAThrowingCallGoOnQuietly_ON02) {
  once o;
  runnel::chan<void> inside;
  runnel::chan<void> finish;
  wait_group all;
  all.go([&] {
    EXPECT_THROW(o.call([&] {
      inside.send();
      finish.recv();
      throw std::runtime_error("x");
    }),
                 std::runtime_error);
  });
  inside.recv();
  all.go([&] { EXPECT_NO_THROW(o.call([] { ADD_FAILURE() << "ran twice"; })); });
  runnel::yield();
  finish.send();
  all.wait();
}

MATRIX_TEST_THREAD(Once, WorksOnAPlainThread_ON01) {
  once o;
  std::atomic<int> runs{0};
  wait_group all;
  for (int i = 0; i < 4; ++i) all.go([&] { o.call([&] { ++runs; }); });
  o.call([&] { ++runs; });
  EXPECT_EQ(runs, 1);
  all.wait();
}

MATRIX_TEST(Once, DifferentFunctionsShareOneOnce_ON01) {
  once o;
  int a = 0;
  o.call([&] { a = 1; });
  o.call([&] { a = 2; });
  EXPECT_EQ(a, 1);
}

MATRIX_TEST(OnceValue, ComputesOnce_ON03) {
  std::atomic<int> runs{0};
  auto value = once_value([&] {
    ++runs;
    runnel::yield();
    return std::string("computed");
  });
  wait_group all;
  for (int i = 0; i < 10; ++i) all.go([&] { EXPECT_EQ(value(), "computed"); });
  all.wait();
  EXPECT_EQ(value(), "computed");
  EXPECT_EQ(runs, 1);
}

MATRIX_TEST(OnceValue, OfNothing_ON03) {
  int runs = 0;
  auto f = once_value([&] { ++runs; });
  f();
  f();
  EXPECT_EQ(runs, 1);
}

MATRIX_TEST(OnceValue, TheExceptionGoesToEveryCaller_ON04) {
  std::atomic<int> runs{0};
  auto value = once_value([&]() -> int {
    ++runs;
    throw std::runtime_error("x");
  });
  for (int i = 0; i < 3; ++i) {
    try {
      value();
      FAIL();
    } catch (const std::runtime_error& e) {
      EXPECT_STREQ(e.what(), "x");
    }
  }
  EXPECT_EQ(runs, 1);
}

MATRIX_TEST(OnceValue, LetsGoOfTheFunctionAfterItsRun_ON08) {
  const auto big = std::make_shared<std::string>("captured");
  auto value = once_value([big] { return big->size(); });
  EXPECT_GT(big.use_count(), 1);
  EXPECT_EQ(value(), 8U);
  EXPECT_EQ(big.use_count(), 1);
  auto thrower = once_value([big]() -> int { throw std::runtime_error(*big); });
  EXPECT_GT(big.use_count(), 1);
  EXPECT_THROW(thrower(), std::runtime_error);
  EXPECT_EQ(big.use_count(), 1);
}

MATRIX_TEST(OnceValue, TakesAMoveOnlyFunction_ON03) {
  auto value = once_value([p = std::make_unique<int>(4)] { return *p; });
  EXPECT_EQ(value(), 4);
  EXPECT_EQ(value(), 4);
}

MATRIX_TEST(Once, AFunctionMayUseOtherOnces_ON10) {
  once outer;
  once inner;
  int runs = 0;
  outer.call([&] { inner.call([&] { ++runs; }); });
  inner.call([&] { ++runs; });
  EXPECT_EQ(runs, 1);
}

}  // namespace
