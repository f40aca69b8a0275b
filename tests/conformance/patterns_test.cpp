// The patterns with one output: they give what they should, and end from either side.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/mutex.hpp>
#include <runnel/patterns.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::recv_chan;

// The numbers 0 to n - 1, then closed.
recv_chan<int> numbers(int n) {
  return runnel::generate(background(), [i = 0, n]() mutable -> std::optional<int> {
    return i < n ? std::optional<int>(i++) : std::nullopt;
  });
}

// The numbers from 0 without end.
recv_chan<int> endless(const context& ctx = background()) {
  return runnel::generate(ctx, [i = 0]() mutable { return std::optional<int>(i++); });
}

template <class T>
std::vector<T> collect(const recv_chan<T>& from) {
  std::vector<T> all;
  for (T& v : from) all.push_back(std::move(v));
  return all;
}

std::vector<int> iota(int n) {
  std::vector<int> v;
  for (int i = 0; i < n; ++i) v.push_back(i);
  return v;
}

template <class T>
std::vector<T> sorted(std::vector<T> v) {
  std::sort(v.begin(), v.end());
  return v;
}

// A channel with `n` events, closed.
recv_chan<void> events(int n) {
  const chan<void> c(n);
  for (int i = 0; i < n; ++i) c.send();
  c.close();
  return c;
}

int count(const recv_chan<void>& from) {
  int n = 0;
  while (from.recv()) ++n;
  return n;
}

MATRIX_TEST(Generate, GivesTheValuesUntilNullopt) { EXPECT_EQ(collect(numbers(100)), iota(100)); }

MATRIX_TEST(Generate, EndsWhenTheOutputIsDropped) {
  std::atomic<int> calls{0};
  {
    const auto out = runnel::generate(background(), [&] { return std::optional<int>(++calls); });
    EXPECT_EQ(out.recv(), 1);
  }
  EXPECT_TRUE(eventually([] { return count_in_state("chan send") == 0; }));
  EXPECT_LE(calls, 3);
}

MATRIX_TEST(Generate, EndsWhenTheContextIsDone) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const auto out = endless(ctx);
  EXPECT_EQ(out.recv(), 0);
  cancel();
  EXPECT_LE(collect(out).size(), 1U);
}

MATRIX_TEST(Generate, WithADoneContextGivesNothing) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  cancel();
  EXPECT_EQ(endless(ctx).recv(), std::nullopt);
}

MATRIX_TEST(Merge, GivesAllValuesOfAllInputs) {
  const auto all = collect(runnel::merge(numbers(50), numbers(30), numbers(20)));
  auto expected = iota(50);
  for (int i : iota(30)) expected.push_back(i);
  for (int i : iota(20)) expected.push_back(i);
  EXPECT_EQ(sorted(all), sorted(expected));
}

MATRIX_TEST(Merge, KeepsTheOrderOfEachInput) {
  std::vector<recv_chan<int>> inputs;
  for (int k = 0; k < 3; ++k) {
    inputs.push_back(
        runnel::transform(background(), numbers(40), 1, [k](int i) { return i * 3 + k; }));
  }
  std::vector<int> last(3, -1);
  int count = 0;
  for (int v : runnel::merge(std::span<const recv_chan<int>>(inputs))) {
    EXPECT_GT(v, last[static_cast<std::size_t>(v % 3)]);
    last[static_cast<std::size_t>(v % 3)] = v;
    ++count;
  }
  EXPECT_EQ(count, 120);
}

MATRIX_TEST(Merge, OfNothingIsClosed) {
  EXPECT_EQ(runnel::merge(std::vector<recv_chan<int>>{}).recv(), std::nullopt);
}

MATRIX_TEST(Merge, ClosesOnlyWhenAllInputsHave) {
  const chan<int> open;
  const chan<int> closed;
  closed.close();
  const auto out = runnel::merge(open, closed);
  runnel::go([=] {
    open.send(7);
    open.close();
  });
  EXPECT_EQ(out.recv(), 7);
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(Merge, EndsWhenTheOutputIsDroppedWhileNothingArrives) {
  const chan<int> silent;
  auto out = runnel::merge(silent, recv_chan<int>(nullptr), chan<int>());
  EXPECT_TRUE(until_blocked("select", 3));
  out = nullptr;
  EXPECT_TRUE(eventually([] { return count_in_state("select") == 0; }));
}

MATRIX_TEST(Merge, LetsGoOfItsInputsWhenItEnds) {
  std::vector<recv_chan<int>> sources;
  for (int i = 0; i < 4; ++i) sources.push_back(endless());
  auto out = runnel::merge(sources);
  sources.clear();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(out.recv());
  out = nullptr;  // the fixture sees whether the generators end
}

MATRIX_TEST(OrDone, PassesEverythingOnAndCloses) {
  EXPECT_EQ(collect(runnel::or_done(background(), numbers(20))), iota(20));
}

MATRIX_TEST(OrDone, ClosesWhenTheContextIsDone) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const chan<int> silent;
  const auto out = runnel::or_done(ctx, silent);
  runnel::go([c = std::move(cancel)] {
    until_blocked("chan receive");
    c();
  });
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(OrDone, EndsOnANilChannelToo) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const auto out = runnel::or_done(ctx, recv_chan<int>(nullptr));
  cancel();
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(OrDone, CarriesEvents) {
  EXPECT_EQ(count(runnel::or_done(background(), events(2))), 2);
}

MATRIX_TEST(Take, GivesTheFirstValuesAndTakesNoMore) {
  const chan<int> in(10);
  for (int i : iota(10)) in.send(i);
  EXPECT_EQ(collect(runnel::take(in, 4)), iota(4));
  EXPECT_EQ(in.len(), 6U);
}

MATRIX_TEST(Take, OfNoneTakesNone) {
  const chan<int> in(1);
  in.send(1);
  EXPECT_EQ(runnel::take(in, 0).recv(), std::nullopt);
  EXPECT_EQ(in.len(), 1U);
}

MATRIX_TEST(Take, OfMoreThanThereIsGivesWhatThereIs) {
  EXPECT_EQ(collect(runnel::take(numbers(3), 100)), iota(3));
}

MATRIX_TEST(Take, EndsAnEndlessSource) {
  EXPECT_EQ(collect(runnel::take(endless(), 10)), iota(10));
}

MATRIX_TEST(Filter, GivesWhatPasses) {
  const auto even = [](int i) { return i % 2 == 0; };
  EXPECT_EQ(collect(runnel::filter(background(), numbers(7), even)),
            (std::vector<int>{0, 2, 4, 6}));
}

MATRIX_TEST(Filter, EndsWhenTheContextIsDoneThoughNothingPasses) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  std::atomic<int> seen{0};
  const auto none = [&](int) { return ++seen, false; };
  const auto out = runnel::filter(ctx, endless(), none);
  runnel::go([&, c = std::move(cancel)] {
    eventually([&] { return seen > 10; });
    c();
  });
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(Filter, EndsWhenTheOutputIsDroppedThoughNothingPasses) {
  auto out = runnel::filter(background(), endless(), [](int) { return false; });
  out = nullptr;  // the fixture sees whether both end
}

MATRIX_TEST(Filter, TakesValuesThatCanOnlyBeMoved) {
  const chan<std::unique_ptr<int>> in(4);
  for (int i : iota(4)) in.send(std::make_unique<int>(i));
  in.close();
  const auto out =
      runnel::filter(background(), in, [](const std::unique_ptr<int>& p) { return *p > 1; });
  EXPECT_EQ(**out.recv(), 2);
  EXPECT_EQ(**out.recv(), 3);
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(Filter, TakesEvents) {
  const auto every_other = [n = 0]() mutable { return ++n % 2 == 0; };
  EXPECT_EQ(count(runnel::filter(background(), events(5), every_other)), 2);
}

MATRIX_TEST(Transform, TakesAndGivesEvents) {
  std::atomic<int> last{0};
  const auto next = [&] { return ++last; };
  EXPECT_EQ(sorted(collect(runnel::transform(background(), events(3), 2, next))),
            (std::vector<int>{1, 2, 3}));
  const auto add = [&](int i) { last += i; };
  EXPECT_EQ(count(runnel::transform(background(), numbers(5), 2, add)), 5);
  EXPECT_EQ(last, 13);
  EXPECT_EQ(count(runnel::transform_ordered(background(), events(4), 2, [&] { ++last; })), 4);
  EXPECT_EQ(last, 17);
}

MATRIX_TEST(Transform, GivesEveryResult) {
  const auto out =
      runnel::transform(background(), numbers(200), 4, [](int i) { return std::to_string(i); });
  std::vector<int> back;
  for (const std::string& s : out) back.push_back(std::stoi(s));
  EXPECT_EQ(sorted(back), iota(200));
}

MATRIX_TEST(Transform, RunsAsManyCallsAtOnceAsItHasWorkers) {
  const chan<void> gate;
  std::atomic<int> inside{0};
  const auto out = runnel::transform(background(), numbers(20), 3, [&, gate](int i) {
    ++inside;
    gate.recv();
    --inside;
    return i;
  });
  EXPECT_TRUE(eventually([&] { return inside == 3; }));
  EXPECT_TRUE(until_blocked("chan receive", 3));
  EXPECT_EQ(inside, 3);
  gate.close();
  EXPECT_EQ(sorted(collect(out)), iota(20));
}

MATRIX_TEST(Transform, WithoutWorkersGivenHasOnePerProcessor) {
  EXPECT_EQ(
      sorted(collect(runnel::transform(background(), numbers(30), 0, [](int i) { return i; }))),
      iota(30));
}

MATRIX_TEST(Transform, EndsWhenTheContextIsDone) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const auto out = runnel::transform(ctx, endless(), 4, [](int i) { return i; });
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(out.recv());
  cancel();
  EXPECT_LE(collect(out).size(), 4U);
}

MATRIX_TEST(Transform, EndsWhenTheOutputIsDroppedWhileNothingArrives) {
  const chan<int> silent;
  auto out = runnel::transform(background(), silent, 4, [](int i) { return i; });
  EXPECT_TRUE(until_blocked("select", 4));
  out = nullptr;
  EXPECT_TRUE(eventually([] { return count_in_state("select") == 0; }));
}

MATRIX_TEST(TransformOrdered, KeepsTheOrderWhateverIsReadyFirst) {
  const auto out = runnel::transform_ordered(background(), numbers(300), 4, [](int i) {
    for (int k = i * 7 % 5; k > 0; --k) runnel::yield();
    return i;
  });
  EXPECT_EQ(collect(out), iota(300));
}

MATRIX_TEST(TransformOrdered, GoesOnBehindASlowValueWithinBounds) {
  const chan<void> slow_one;
  std::atomic<int> begun{0};
  const auto out = runnel::transform_ordered(background(), endless(), 4, [&, slow_one](int i) {
    ++begun;
    if (i == 0) slow_one.recv();
    return i;
  });
  EXPECT_TRUE(eventually([&] { return begun == 8; }));
  EXPECT_TRUE(until_blocked("select", 2));
  EXPECT_EQ(begun, 8);  // twice the workers
  EXPECT_FALSE(out.try_recv());
  slow_one.close();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(out.recv(), i);
}

MATRIX_TEST(TransformOrdered, OfNothingIsClosed) {
  EXPECT_EQ(runnel::transform_ordered(background(), numbers(0), 4, [](int i) { return i; }).recv(),
            std::nullopt);
}

MATRIX_TEST(TransformOrdered, EndsWhenTheContextIsDone) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const auto out = runnel::transform_ordered(ctx, endless(), 4, [](int i) { return i; });
  EXPECT_EQ(out.recv(), 0);
  cancel();
  EXPECT_LE(collect(out).size(), 1U);
}

MATRIX_TEST(TransformOrdered, EndsWhenTheOutputIsDropped) {
  const chan<int> silent;
  auto idle = runnel::transform_ordered(background(), silent, 3, [](int i) { return i; });
  auto busy = runnel::transform_ordered(background(), endless(), 3, [](int i) { return i; });
  EXPECT_EQ(busy.recv(), 0);
  idle = nullptr;
  busy = nullptr;  // the fixture sees whether they end
}

MATRIX_TEST(Patterns, AChainEndsWhenItsConsumerStops) {
  auto out = runnel::take(runnel::filter(background(),
                                         runnel::transform_ordered(background(), endless(), 3,
                                                                   [](int i) { return i * 2; }),
                                         [](int i) { return i % 3 == 0; }),
                          1000);
  EXPECT_EQ(out.recv(), 0);
  EXPECT_EQ(out.recv(), 6);
  EXPECT_EQ(out.recv(), 12);
}

MATRIX_TEST_THREAD(Patterns, MayBeUsedFromPlainThreads) {
  EXPECT_EQ(collect(runnel::take(endless(), 100)), iota(100));
  EXPECT_EQ(
      collect(runnel::transform_ordered(background(), numbers(100), 3, [](int i) { return i; })),
      iota(100));
  EXPECT_EQ(sorted(collect(runnel::merge(numbers(10), numbers(0)))), iota(10));
}

}  // namespace
