// async and future.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/message.hpp"
#include "../support/stopwatch.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::async;
using runnel::chan;
using runnel::future;

static_assert(std::is_same_v<decltype(async([] { return 1; })), future<int>>);
static_assert(std::is_same_v<decltype(async([] {})), future<void>>);
static_assert(std::is_same_v<decltype(async(std::declval<int& (*)()>())), future<int&>>);
static_assert(!std::is_copy_constructible_v<future<int>> &&
              !std::is_copy_assignable_v<future<int>>);
static_assert(std::is_nothrow_move_constructible_v<future<int>> &&
              std::is_nothrow_move_assignable_v<future<int>>);
static_assert(std::is_default_constructible_v<future<int>>);

void results_and_exceptions() {
  EXPECT_EQ(async([] { return 6 * 7; }).get(), 42);
  EXPECT_EQ(async([](int a, const std::string& s) { return s + std::to_string(a); }, 3, "x").get(),
            "x3");
  EXPECT_EQ(*async([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(4)).get(), 4);
  async([] {}).get();
  int x = 0;
  EXPECT_EQ(&async([&]() -> int& { return x; }).get(), &x);
  auto failing = async([]() -> int { throw std::runtime_error("async"); });
  EXPECT_EQ(message_of<std::runtime_error>([&] { (void)failing.get(); }), "async");
  EXPECT_EQ(
      message_of<std::runtime_error>([] { async([] { throw std::runtime_error("void"); }).get(); }),
      "void");
}
MATRIX_TEST(Async, ResultsAndExceptions) { results_and_exceptions(); }
MATRIX_TEST_THREAD(AsyncThread, ResultsAndExceptions) { results_and_exceptions(); }

MATRIX_TEST(Async, AFutureIsValidUntilItIsTaken) {
  future<int> f;
  EXPECT_FALSE(f.valid());
  f = async([] { return 1; });
  EXPECT_TRUE(f.valid());
  future<int> g = std::move(f);
  EXPECT_FALSE(f.valid());
  EXPECT_TRUE(g.valid());
  g.wait();
  EXPECT_TRUE(g.valid());
  EXPECT_EQ(g.get(), 1);
  EXPECT_FALSE(g.valid());
  EXPECT_ANY_THROW((void)g.get());
}

MATRIX_TEST(Async, WaitingWithALimit) {
  const chan<int> gate;
  auto f = async([gate] { return gate.recv().value(); });
  const stopwatch watch;
  EXPECT_FALSE(f.wait_for(5ms));
  EXPECT_GE(watch.elapsed(), 5ms);
  EXPECT_FALSE(f.wait_until(std::chrono::steady_clock::now() + 1ms));
  EXPECT_FALSE(f.wait_for(0s));
  EXPECT_FALSE(f.wait_for(-1h));
  gate.send(8);
  EXPECT_TRUE(f.wait_for(std::chrono::hours::max()));
  EXPECT_TRUE(f.wait_until(std::chrono::steady_clock::now() - 1h));
  EXPECT_TRUE(f.wait_for(0s));
  const bool is_there = f.wait_for(0s);
  const std::future_status status = f.wait_for(0s);
  EXPECT_TRUE(is_there);
  EXPECT_EQ(status, std::future_status::ready);
  EXPECT_TRUE(f.wait_for(0s) == std::future_status::ready);
  EXPECT_TRUE(f.wait_for(0s) == true);  // NOLINT: that it can be compared
  EXPECT_EQ(f.get(), 8);
}

MATRIX_TEST(Async, TheDestructorDoesNotWait) {
  const chan<int> gate;
  const stopwatch watch;
  {
    const auto dropped = async([gate] { return gate.recv().value(); });
  }
  {
    const auto failing = async([gate]() -> int {
      gate.recv();
      throw std::runtime_error("nobody took it");
    });
  }
  EXPECT_LT(watch.elapsed(), 2s * patience);
  gate.close();
}

void captures_are_gone_with_the_result() {
  for (int i = 0; i < scaled(500); ++i) {
    const auto captured = std::make_shared<int>(1);
    const auto argument = std::make_shared<int>(2);
    auto f = runnel::async([captured](const std::shared_ptr<int>& a) { return *a; }, argument);
    if (i % 2 == 0)
      f.wait();
    else
      EXPECT_EQ(f.get(), 2);
    EXPECT_EQ(captured.use_count(), 1);
    EXPECT_EQ(argument.use_count(), 1);
  }
}
MATRIX_TEST(Async, WhatWasCapturedIsGoneWhenTheResultIsThere) {
  captures_are_gone_with_the_result();
}
MATRIX_TEST_THREAD(AsyncThread, WhatWasCapturedIsGoneWhenTheResultIsThere) {
  captures_are_gone_with_the_result();
}

MATRIX_TEST(Async, TheResultIsDestroyedOnce) {
  tally t;
  {
    auto taken = async([&] { return tracked(t, 1); });
    EXPECT_EQ(taken.get().value(), 1);
    auto waited = async([&] { return tracked(t, 2); });
    waited.wait();
    auto overtaken = async([&] { return tracked(t, 3); });
    overtaken = async([&] { return tracked(t, 4); });
    overtaken.wait();
  }
  EXPECT_TRUE(eventually([&] { return t.made == 4 && t.alive() == 0; }));
  EXPECT_EQ(t.broken, 0);
  EXPECT_EQ(t.copied, 0);
  EXPECT_EQ(t.full_destroyed, 4);
}

MATRIX_TEST(Async, ManyAtOnce) {
  std::vector<future<long>> all;
  for (long i = 0; i < scaled(2000); ++i) all.push_back(async([i] { return i * i; }));
  for (long i = 0; i < scaled(2000); ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)].get(), i * i);
}

long fibonacci(int n) {
  if (n < 2) return n;
  auto left = async(fibonacci, n - 1);
  const long right = fibonacci(n - 2);
  return left.get() + right;
}
MATRIX_TEST(Async, Recursive) { EXPECT_EQ(fibonacci(15), 610); }

MATRIX_TEST(Async, AWaiterMayBeAPlainThread) {
  const chan<void> gate;
  auto f = async([gate] {
    gate.recv();
    return 3;
  });
  int got = 0;
  std::thread waiter([&] { got = f.get(); });
  gate.send();
  runnel::blocking([&] { waiter.join(); });
  EXPECT_EQ(got, 3);
}

MATRIX_TEST(Async, AFutureMayBeDestroyedAsSoonAsItIsReady) {
  for (int i = 0; i < scaled(300); ++i) {
    auto f = std::make_unique<future<int>>(async([i] { return i; }));
    EXPECT_EQ(f->get(), i);
    f.reset();
  }
}

MATRIX_TEST(Async, AFutureIsACaseOfASelect) {
  const chan<int> idle;
  const chan<int> gate;
  auto f = async([gate] { return gate.recv().value(); });
  EXPECT_EQ(runnel::select(runnel::on_ready(f), runnel::otherwise()), 1U);
  runnel::go([gate] { gate.send(4); });
  bool ready = false;
  EXPECT_EQ(runnel::select(runnel::on_recv(idle), runnel::on_ready(f, [&] { ready = true; })), 1U);
  EXPECT_TRUE(ready);
  EXPECT_EQ(f.get(), 4);
}

MATRIX_TEST(Async, AnEmptyFunctionIsAnErrorOfTheFuture) {
  auto f = async(std::function<int()>());
  EXPECT_THROW((void)f.get(), std::bad_function_call);
}

}  // namespace
