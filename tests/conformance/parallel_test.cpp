// parallel_for, parallel_map, parallel_reduce.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/patterns.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::context;
using runnel::error;
using runnel::parallel_for;
using runnel::parallel_map;
using runnel::parallel_reduce;

std::vector<int> iota(int n) {
  std::vector<int> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}

MATRIX_TEST(ParallelFor, CallsItsFunctionOnceForEachElement) {
  for (const int n : {0, 1, 2, 3, 7, 64, 1000, 100'003}) {
    std::vector<int> v(static_cast<std::size_t>(n), 1);
    parallel_for(v, [](int& x) { ++x; });
    for (int x : v) ASSERT_EQ(x, 2) << "of " << n;
  }
}

MATRIX_TEST(ParallelFor, TakesRangesOfAnyKind) {
  std::atomic<int> sum{0};
  const auto add = [&](int x) { sum += x; };
  parallel_for(std::views::iota(1, 101), add);
  EXPECT_EQ(sum.exchange(0), 5050);
  parallel_for(std::deque<int>{1, 2, 3}, add);
  EXPECT_EQ(sum.exchange(0), 6);
  parallel_for(std::forward_list<int>{1, 2, 3}, add);
  EXPECT_EQ(sum.exchange(0), 6);
  std::istringstream text("10 20 30");
  parallel_for(std::ranges::istream_view<int>(text), add);
  EXPECT_EQ(sum.exchange(0), 60);
  int raw[] = {4, 5};
  parallel_for(raw, add);
  EXPECT_EQ(sum.exchange(0), 9);
  std::list<int> list{1, 2, 3};
  parallel_for(list, [](int& x) { x *= 10; });
  EXPECT_EQ(list, (std::list<int>{10, 20, 30}));
}

MATRIX_TEST(ParallelFor, SharesCoarseElementsOutAmongProcessors) {
  // Each call waits until as many run as there are processors: they are not left to one goroutine.
  const int all = procs();
  std::atomic<int> inside{0};
  std::atomic<bool> met{false};
  parallel_for(iota(64), [&](int) {
    ++inside;
    if (eventually([&] { return met || inside == all; })) met = true;
    --inside;
  });
  EXPECT_TRUE(met);
}

MATRIX_TEST(ParallelFor, RethrowsTheFirstExceptionWhenAllCallsHaveEnded) {
  std::atomic<int> inside{0};
  std::atomic<int> calls{0};
  const auto f = [&](int i) {
    ++inside;
    ++calls;
    runnel::sleep_for(1ms);
    --inside;
    if (i == 3) throw std::out_of_range("three");
  };
  try {
    parallel_for(iota(10'000), f);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::out_of_range& e) {
    EXPECT_STREQ(e.what(), "three");
  }
  EXPECT_EQ(inside, 0);
  EXPECT_LT(calls, 10'000);
}

// How many calls `loop` begins after one has thrown, where elements become expensive after many cheap ones. The
// goroutine that makes the first expensive call goes on; another throws.
template <class Loop>
int calls_begun_after_a_failure(Loop loop) {
  constexpr int cheap = scaled(1'000'000);
  std::atomic<std::uint64_t> first{0};
  std::atomic<bool> thrown{false};
  std::atomic<int> after{0};
  const auto f = [&](int i) {
    if (i < cheap) return i;
    if (thrown) ++after;
    const std::uint64_t me = runnel::this_goroutine::id();
    std::uint64_t none = 0;
    if (!first.compare_exchange_strong(none, me) && first != me) {
      thrown = true;
      throw std::runtime_error("expensive");
    }
    runnel::sleep_for(500us);
    return i;
  };
  EXPECT_THROW(loop(std::views::iota(0, 2 * cheap), f), std::runtime_error);
  return after;
}

MATRIX_TEST(ParallelFor, BeginsNoFurtherCallsAfterAFailure) {
  if (procs() == 1) return;  // there is only one party
  constexpr int few = 500;   // one stretch, and what is begun until the exception has been caught
  EXPECT_LT(calls_begun_after_a_failure([](auto range, auto& f) { parallel_for(range, f); }), few);
  EXPECT_LT(calls_begun_after_a_failure([](auto range, auto& f) { (void)parallel_map(range, f); }),
            few);
  EXPECT_LT(calls_begun_after_a_failure([](auto range, auto& f) {
              (void)parallel_reduce(range, std::int64_t{0}, std::plus<>{}, f);
            }),
            few);
}

MATRIX_TEST(ParallelFor, ThrowsAnErrorItsFunctionReturned) {
  const auto f = [](int i) {
    return i == 500 ? std::make_error_code(std::errc::io_error) : std::error_code();
  };
  try {
    parallel_for(iota(1000), f);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::io_error);
  }
}

MATRIX_TEST(ParallelFor, MayBeNested) {
  std::atomic<int> calls{0};
  parallel_for(iota(20), [&](int) { parallel_for(iota(20), [&](int) { ++calls; }); });
  EXPECT_EQ(calls, 400);
}

MATRIX_TEST(ParallelFor, CallsMayBlock) {
  const runnel::chan<int> c;
  runnel::go([=] {
    for (int i = 0; i < 100; ++i) c.send(i);
    c.close();
  });
  std::atomic<int> sum{0};
  parallel_for(iota(100), [&](int) { sum += c.recv().value(); });
  EXPECT_EQ(sum, 4950);
}

MATRIX_TEST(ParallelForInContext, CallsItsFunctionOnceForEachElement) {
  for (const int n : {0, 1, 5, 1000}) {
    std::vector<int> v(static_cast<std::size_t>(n), 1);
    EXPECT_FALSE(parallel_for(background(), v, 3, [](int& x) { ++x; }));
    for (int x : v) ASSERT_EQ(x, 2) << "of " << n;
  }
}

MATRIX_TEST(ParallelForInContext, RunsNoMoreCallsAtOnceThanAllowedAndAsMany) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  int wanted = 10;
  const auto f = [&](int) {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    EXPECT_TRUE(eventually([&] { return most >= wanted; }));
    runnel::sleep_for(1ms);
    --inside;
  };
  EXPECT_FALSE(parallel_for(background(), iota(100), 10, f));
  EXPECT_EQ(most, 10);
  most = 0;
  wanted = 1;
  EXPECT_FALSE(parallel_for(background(), iota(20), 1, f));
  EXPECT_EQ(most, 1);
  EXPECT_FALSE(parallel_for(background(), iota(20), 0, f));
  EXPECT_LE(most, procs());
}

MATRIX_TEST(ParallelForInContext, GivesTheFirstErrorAndCancelsTheOthers) {
  const error bad("bad element");
  std::atomic<int> cancelled{0};
  const auto f = [&](const context& ctx, int i) -> error {
    if (i == 3) {
      until_blocked("chan receive", 3);
      return bad;
    }
    ctx.done().recv();
    ++cancelled;
    EXPECT_EQ(ctx.cause(), bad);
    return ctx.err();
  };
  EXPECT_EQ(parallel_for(background(), iota(1000), 4, f), bad);
  EXPECT_EQ(cancelled, 3);
}

MATRIX_TEST(ParallelForInContext, GivesWhatWasThrown) {
  const error got = parallel_for(background(), iota(100), 4, [](int i) {
    if (i == 50) throw std::domain_error("fifty");
  });
  ASSERT_NE(got.as<std::domain_error>(), nullptr);
  EXPECT_EQ(got.message(), "fifty");
}

MATRIX_TEST(ParallelForInContext, StopsWhenTheContextIsDone) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  std::atomic<int> calls{0};
  std::atomic<bool> cancelled{false};
  std::atomic<int> late{0};
  const error got = parallel_for(ctx, iota(100'000), 4, [&](int) {
    if (cancelled) ++late;
    if (++calls == 10) {
      cancel();
      cancelled = true;
    }
    runnel::yield();
  });
  EXPECT_EQ(got, runnel::context_errc::canceled);
  EXPECT_LE(late, 3);  // the others may have been about to call
  EXPECT_LT(calls, 100'000);
}

MATRIX_TEST(ParallelForInContext, WithADoneContextCallsNothing) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  cancel();
  const auto none = [](int) { ADD_FAILURE() << "was called"; };
  EXPECT_EQ(parallel_for(ctx, iota(5), 2, none), runnel::context_errc::canceled);
}

MATRIX_TEST(ParallelForInContext, IsNoErrorIfTheContextEndsWithTheLastCall) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  EXPECT_FALSE(parallel_for(ctx, iota(1), 2, [&](int) { cancel(); }));
}

MATRIX_TEST(ParallelForInContext, ReadsAChannelAsCallsBecomeFree) {
  const runnel::chan<int> in;
  runnel::go([=] {
    for (int i = 0; i < 200; ++i) in.send(i);
    in.close();
  });
  std::atomic<int> sum{0};
  EXPECT_FALSE(parallel_for(background(), in, 4, [&](int i) { sum += i; }));
  EXPECT_EQ(sum, 19'900);
}

MATRIX_TEST(ParallelForInContext, LeavesTheRestOfAChannelAfterAnError) {
  const runnel::chan<int> in(100);
  for (int i = 0; i < 100; ++i) in.send(i);
  in.close();
  const error got = parallel_for(background(), in, 2, [](const context& ctx, int i) -> error {
    if (i == 10) return "ten";
    if (i > 10) ctx.done().recv();  // the other party's: until it is to begin no more
    return {};
  });
  EXPECT_EQ(got.message(), "ten");
  EXPECT_GE(in.len(), 88U);
}

MATRIX_TEST(ParallelForInContext, OfAChannelRunsAsManyCallsAtOnceAsAllowed) {
  const runnel::chan<int> in(20);
  for (int i = 0; i < 20; ++i) in.send(i);
  in.close();
  const runnel::chan<void> gate;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  runnel::go([&, gate] {
    EXPECT_TRUE(until_blocked("chan receive", 5));
    EXPECT_EQ(inside, 5);
    gate.close();
  });
  EXPECT_FALSE(parallel_for(background(), in, 5, [&](int) {
    const int now = ++inside;
    if (now > most) most = now;
    gate.recv();
    --inside;
  }));
  EXPECT_EQ(most, 5);
}

// The most goroutines there are during the calls of a loop over ten elements that allows a hundred thousand.
template <class Range>
std::size_t most_goroutines(Range&& ten) {
  std::atomic<std::size_t> most{0};
  EXPECT_FALSE(parallel_for(background(), std::forward<Range>(ten), 100'000, [&](int) {
    if (const std::size_t now = runnel::num_goroutines(); now > most) most = now;
  }));
  return most;
}

MATRIX_TEST(ParallelForInContext, StartsNoMoreGoroutinesThanThereAreElements) {
  const std::size_t before = runnel::num_goroutines();
  const runnel::chan<int> in(10);
  for (int i = 0; i < 10; ++i) in.send(i);
  in.close();
  EXPECT_LE(most_goroutines(in), before + 11);
  std::istringstream text("0 1 2 3 4 5 6 7 8 9");
  EXPECT_LE(most_goroutines(std::ranges::istream_view<int>(text)), before + 11);
}

MATRIX_TEST(ParallelForInContext, EndsWithItsContextWhileAChannelIsSilent) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const runnel::chan<int> silent;
  runnel::go([&cancel = cancel] {
    EXPECT_TRUE(until_blocked("select"));
    cancel();
  });
  const auto none = [](int) { ADD_FAILURE() << "was called"; };
  EXPECT_EQ(parallel_for(ctx, silent, 4, none), runnel::context_errc::canceled);
}

MATRIX_TEST(ParallelForInContext, EndsWithACallsErrorWhileAChannelIsSilent) {
  const error bad("bad element");
  const runnel::chan<int> in(1);
  in.send(1);
  const auto f = [&](int) -> error {
    EXPECT_TRUE(until_blocked("select"));
    return bad;
  };
  EXPECT_EQ(parallel_for(background(), runnel::recv_chan<int>(in), 4, f), bad);
}

MATRIX_TEST(ParallelForInContext, IsNoErrorIfTheContextEndsWithTheLastValueOfAChannel) {
  auto [ctx, cancel] = runnel::with_cancel(background());
  const runnel::chan<int> in(1);
  in.send(1);
  in.close();
  EXPECT_FALSE(parallel_for(ctx, in, 2, [&](int) { cancel(); }));
}

MATRIX_TEST(ParallelForInContext, GivesWhatARangeThrew) {
  std::istringstream text("1 2 3");
  auto range = std::ranges::istream_view<int>(text) | std::views::transform([](int i) {
                 return i == 2 ? throw std::domain_error("two") : i;
               });
  EXPECT_EQ(parallel_for(background(), range, 2, [](int) {}).message(), "two");
}

MATRIX_TEST(ParallelMap, GivesResultsInTheOrderOfTheRange) {
  const auto squares = parallel_map(iota(10'000), [](int i) { return std::int64_t{i} * i; });
  ASSERT_EQ(squares.size(), 10'000U);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(squares[static_cast<std::size_t>(i)], std::int64_t{i} * i);
  }
  EXPECT_TRUE(parallel_map(std::vector<int>{}, [](int i) { return i; }).empty());
}

struct no_default {
  explicit no_default(int v) : value(std::make_unique<int>(v)) {}
  std::unique_ptr<int> value;
};

MATRIX_TEST(ParallelMap, TakesResultsOfAnyKind) {
  const auto odd = parallel_map(iota(1000), [](int i) { return i % 2 == 1; });
  static_assert(std::is_same_v<decltype(odd), const std::vector<bool>>);
  for (std::size_t i = 0; i < odd.size(); ++i) ASSERT_EQ(odd[i], i % 2 == 1);
  const auto objects = parallel_map(std::list<int>{1, 2, 3}, [](int i) { return no_default(i); });
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(*objects[2].value, 3);
  const runnel::chan<std::unique_ptr<int>> in(2);
  in.send(std::make_unique<int>(1));
  in.send(std::make_unique<int>(2));
  in.close();
  const auto from_chan = parallel_map(in, [](std::unique_ptr<int> p) { return *p; });
  EXPECT_EQ(from_chan, (std::vector<int>{1, 2}));
}

MATRIX_TEST(ParallelMap, RethrowsTheFirstException) {
  const auto f = [](int i) { return i == 77 ? throw std::runtime_error("77") : i; };
  EXPECT_THROW(parallel_map(iota(1000), f), std::runtime_error);
}

MATRIX_TEST(ParallelReduce, CombinesAllElements) {
  for (const int n : {0, 1, 2, 1000, 50'000}) {
    const auto sum = parallel_reduce(iota(n), std::int64_t{5}, std::plus<>{},
                                     [](int i) { return std::int64_t{i}; });
    EXPECT_EQ(sum, std::int64_t{n} * (n - 1) / 2 + 5);
  }
  EXPECT_EQ(parallel_reduce(iota(10), 0, std::plus<>{}), 45);
}

MATRIX_TEST(ParallelReduce, KeepsTheOrderWhereItMatters) {
  std::string expected = "<";
  for (int i = 0; i < 3000; ++i) expected += std::to_string(i) + ",";
  const auto joined = parallel_reduce(
      iota(3000), std::string("<"), [](std::string a, const std::string& b) { return a += b; },
      [](int i) {
        if (i % 100 == 0) runnel::yield();
        return std::to_string(i) + ",";
      });
  EXPECT_EQ(joined, expected);
}

MATRIX_TEST(ParallelReduce, RethrowsWhatCombiningThrew) {
  const auto combine = [](int a, int b) {
    return a + b > 300 ? throw std::overflow_error("x") : a + b;
  };
  EXPECT_THROW(parallel_reduce(iota(100), 0, combine), std::overflow_error);
}

MATRIX_TEST_THREAD(Parallel, MayBeUsedFromPlainThreads) {
  std::atomic<int> sum{0};
  parallel_for(iota(1000), [&](int i) { sum += i; });
  EXPECT_EQ(sum, 499'500);
  EXPECT_FALSE(parallel_for(background(), iota(100), 5, [&](int) { runnel::sleep_for(100us); }));
  EXPECT_EQ(parallel_map(iota(3), [](int i) { return i; }), iota(3));
  EXPECT_THROW(parallel_for(iota(10),
                            [](int i) {
                              if (i == 5) throw std::logic_error("five");
                            }),
               std::logic_error);
}

}  // namespace
