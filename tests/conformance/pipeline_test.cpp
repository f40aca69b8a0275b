// Pipelines: from(ch) | stages, run into a channel or through a function.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/patterns.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/number_chan.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::batched;
using runnel::chan;
using runnel::context;
using runnel::error;
using runnel::filtered;
using runnel::from;
using runnel::recv_chan;
using runnel::taken;
using runnel::transformed;
using runnel::transformed_ordered;

const auto doubled = [](int i) { return 2 * i; };
const auto divisible_by_four = [](int i) { return i % 4 == 0; };

MATRIX_TEST(Pipeline, PutsItsStagesBehindEachOther) {
  const auto p =
      from(numbers(100)) | transformed(4, doubled) | filtered(divisible_by_four) | batched(20, 10s);
  int sum = 0;
  int count = 0;
  for (const std::vector<int>& group : p.to_channel(background())) {
    for (int v : group) {
      sum += v;
      ++count;
    }
  }
  EXPECT_EQ(count, 50);
  EXPECT_EQ(sum, 4900);
}

MATRIX_TEST(Pipeline, KeepsTheOrderWhereAsked) {
  std::vector<std::string> got;
  const error failed =
      (from(numbers(50)) | transformed_ordered(4, [](int i) { return std::to_string(i); }) |
       taken(10))
          .for_each(background(), [&](std::string s) { got.push_back(std::move(s)); });
  EXPECT_FALSE(failed);
  ASSERT_EQ(got.size(), 10U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], std::to_string(i));
}

MATRIX_TEST(Pipeline, RunsNothingUntilItIsAskedTo) {
  std::atomic<int> calls{0};
  const auto p = from(numbers(3)) | transformed(2, [&](int i) { return ++calls, i; });
  EXPECT_EQ(calls, 0);
  EXPECT_FALSE(p.for_each(background(), [](int) {}));
  EXPECT_EQ(calls, 3);
}

MATRIX_TEST(Pipeline, MayRunAgain) {
  const chan<int> in(10);
  const auto p = from(in) | transformed(2, doubled) | taken(2);
  int sum = 0;
  for (int round = 0; round < 2; ++round) {
    in.send(1);
    in.send(2);
    EXPECT_FALSE(p.for_each(background(), [&](int v) { sum += v; }));
  }
  EXPECT_EQ(sum, 12);
}

MATRIX_TEST(Pipeline, TakesFunctionsThatCanOnlyBeMoved) {
  auto p = from(numbers(4)) |
           transformed(2, [offset = std::make_unique<int>(100)](int i) { return i + *offset; });
  int sum = 0;
  EXPECT_FALSE(std::move(p).for_each(background(), [&](int v) { sum += v; }));
  EXPECT_EQ(sum, 406);
}

MATRIX_TEST(Pipeline, OfASourceAloneEndsWithItsContext) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const chan<int> silent;
  const auto out = from(silent).to_channel(ctx);
  cancel();
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(Pipeline, EndsWhenItsOutputIsDropped) {
  auto out =
      (from(endless()) | transformed(3, doubled) | filtered(divisible_by_four) | batched(5, 1s))
          .to_channel(background());
  EXPECT_EQ(out.recv()->size(), 5U);
  out = nullptr;  // the fixture sees whether all goroutines end
}

MATRIX_TEST(PipelineForEach, TakesEvents) {
  std::atomic<int> seen{0};
  int calls = 0;
  EXPECT_FALSE((from(numbers(10)) | transformed(2, [&](int) { ++seen; }) | taken(4))
                   .for_each(background(), [&] { ++calls; }));
  EXPECT_EQ(calls, 4);
  EXPECT_GE(seen, 4);
  const error got = (from(endless()) | transformed_ordered(2, [](int) {}) | filtered([] {
                       return true;
                     })).for_each(background(), [&] { return ++calls == 9 ? "nine" : error(); });
  EXPECT_EQ(got.message(), "nine");
}

MATRIX_TEST(PipelineForEach, GivesTheErrorItsFunctionReturned) {
  const error stop("enough");
  int calls = 0;
  const error got = (from(endless()) | transformed(3, doubled)).for_each(background(), [&](int) {
    return ++calls == 5 ? stop : error();
  });
  EXPECT_EQ(got, stop);
  EXPECT_EQ(calls, 5);
}

MATRIX_TEST(PipelineForEach, GivesWhatItsFunctionThrew) {
  const error got = (from(endless()) | filtered(divisible_by_four)).for_each(background(), [](int) {
    throw std::range_error("too far");
  });
  ASSERT_NE(got.as<std::range_error>(), nullptr);
  EXPECT_EQ(got.message(), "too far");
}

MATRIX_TEST(PipelineForEach, TakesErrorCodes) {
  const error got = from(numbers(3)).for_each(background(), [](int i) {
    return i == 1 ? std::make_error_code(std::errc::no_space_on_device) : std::error_code();
  });
  EXPECT_TRUE(got.is(std::errc::no_space_on_device));
}

MATRIX_TEST(PipelineForEach, GivesWhatAStageThrew) {
  const auto fails = [](int i) {
    if (i == 20) throw std::runtime_error("cannot do 20");
    return i;
  };
  const error first = (from(endless()) | transformed(3, fails) | batched(1000, 1h))
                          .for_each(background(), [](const std::vector<int>&) {});
  EXPECT_EQ(first.message(), "cannot do 20");
  const error ordered =
      (from(endless()) | transformed_ordered(3, fails)).for_each(background(), [](int v) {
        EXPECT_LT(v, 20);
      });
  EXPECT_EQ(ordered.message(), "cannot do 20");
  const error filter = (from(endless()) | filtered([&](int i) {
                          return fails(i) > 5;
                        })).for_each(background(), [](int) {});
  EXPECT_EQ(filter.message(), "cannot do 20");
}

MATRIX_TEST(PipelineForEach, GivesTheErrorOfItsContext) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  int calls = 0;
  const error got = (from(endless()) | transformed(2, doubled)).for_each(ctx, [&](int) {
    if (++calls == 3) cancel();
  });
  EXPECT_EQ(got, runnel::context_errc::canceled);
  EXPECT_EQ(calls, 3);
}

MATRIX_TEST(PipelineForEach, WithADoneContextCallsNothing) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  cancel();
  const error got = from(numbers(5)).for_each(ctx, [](int) { ADD_FAILURE() << "was called"; });
  EXPECT_EQ(got, runnel::context_errc::canceled);
}

MATRIX_TEST(PipelineForEach, EndsAtItsDeadlineThoughNothingArrives) {
  auto [ctx, cancel] = runnel::with_timeout(background(), 20ms);
  const chan<int> silent;
  const error got = (from(silent) | transformed(2, doubled) | transformed_ordered(2, doubled))
                        .for_each(ctx, [](int) {});
  EXPECT_EQ(got, runnel::context_errc::deadline_exceeded);
}

MATRIX_TEST(PipelineForEach, ReturnsOnlyWhenItsStagesHaveEnded) {
  std::atomic<int> inside{0};
  const auto tracked = [&](int i) {
    ++inside;
    runnel::yield();
    --inside;
    return i;
  };
  const auto p = from(endless()) | transformed(4, tracked);
  EXPECT_TRUE(p.for_each(background(), [](int i) { return i > 10 ? error("end") : error(); }));
  EXPECT_EQ(inside, 0);
}

MATRIX_TEST_THREAD(Pipeline, MayBeUsedFromPlainThreads) {
  int sum = 0;
  EXPECT_FALSE((from(numbers(10)) | transformed(3, doubled)).for_each(background(), [&](int v) {
    sum += v;
  }));
  EXPECT_EQ(sum, 90);
}

}  // namespace
