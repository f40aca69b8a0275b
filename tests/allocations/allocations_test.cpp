// How often operations allocate (api.md: nothing allocates per operation on bounded channels; behaviours CX-47, ON-09). A
// program of its own, as it counts every operator new, by whatever thread.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/once.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/counting_new.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;

constexpr int rounds = 1000;
// The runtime's threads, and lists that have to grow, come in the first rounds or once in a while.
constexpr double hardly_any = 0.1;

/// Allocations per call of `operation`, after as many that are not counted.
template <class F>
double allocations(F&& operation) {
  for (int i = 0; i < rounds; ++i) operation();
  const std::uint64_t before = news.load();
  for (int i = 0; i < rounds; ++i) operation();
  return static_cast<double>(news.load() - before) / rounds;
}

/// Sends on the one channel what comes from the other, until that is closed.
template <class T>
void echo(chan<T> from, chan<T> to) {
  runnel::go([from, to] {
    while (auto value = from.recv()) to.send(*value);
    to.close();
  });
}

template <class T>
void expect_no_allocation_there_and_back(std::size_t capacity) {
  const chan<T> there(capacity);
  const chan<T> back(capacity);
  echo(there, back);
  EXPECT_LE(allocations([&] {
              there.send(T{});
              back.recv();
            }),
            hardly_any)
      << sizeof(T) << " bytes, capacity " << capacity;
  there.close();
  EXPECT_FALSE(back.recv());
}

MATRIX_TEST(Allocations, NoneBySendingAndReceiving) {
  for (const std::size_t capacity : {0, 1, 64}) {
    expect_no_allocation_there_and_back<char>(capacity);
    expect_no_allocation_there_and_back<std::array<char, 1024>>(capacity);
  }
}

MATRIX_TEST_THREAD(Allocations, NoneBySendingAndReceivingOnAThread) {
  expect_no_allocation_there_and_back<int>(0);
  expect_no_allocation_there_and_back<int>(64);
}

MATRIX_TEST(Allocations, NoneByOperationsThatDoNotWait) {
  const chan<int> c(1);
  EXPECT_LE(allocations([&] {
              EXPECT_TRUE(c.try_send(1));
              EXPECT_TRUE(c.try_recv());
              EXPECT_FALSE(c.try_recv());
            }),
            hardly_any);
}

MATRIX_TEST(Allocations, NoneByWaitingWithATimeLimit) {
  const chan<int> c;
  EXPECT_LE(allocations([&] { EXPECT_FALSE(c.recv_for(1us)); }), hardly_any);
}

MATRIX_TEST(Allocations, NoneBySelect) {
  const chan<int> there;
  const chan<int> back;
  const chan<int> never;
  echo(there, back);
  int sum = 0;
  EXPECT_LE(allocations([&] {
              runnel::select(runnel::on_send(there, 1, [] {}),
                             runnel::on_recv(never, [](const std::optional<int>&) {}));
              runnel::select(runnel::on_recv(back, [&](std::optional<int> v) { sum += *v; }),
                             runnel::on_recv(never, [](const std::optional<int>&) {}),
                             runnel::on_timeout(1h, [] {}));
              runnel::select(runnel::on_recv(never, [](const std::optional<int>&) {}),
                             runnel::otherwise([] {}));
            }),
            hardly_any);
  EXPECT_EQ(sum, 2 * rounds);
  there.close();
  back.recv();
}

MATRIX_TEST(Allocations, NoneByGoAndWait) {
  runnel::wait_group all;
  std::atomic<int> sum{0};
  EXPECT_LE(allocations([&] {
              all.add(1);
              runnel::go([&] {
                ++sum;
                all.done();
              });
              all.wait();
            }),
            hardly_any);
  EXPECT_EQ(sum, 2 * rounds);
}

MATRIX_TEST(Allocations, NoneByLocks) {
  runnel::mutex m;
  runnel::semaphore s(1);
  EXPECT_LE(allocations([&] {
              const std::lock_guard lock(m);
              s.acquire();
              s.release();
            }),
            hardly_any);
}

struct request_id {
  using type = int;
};

MATRIX_TEST(Allocations, ContextsHaveABudget_CX47) {
  EXPECT_LE(allocations([] { (void)runnel::background(); }), hardly_any);
  EXPECT_LE(allocations([] {
              const auto ctx = runnel::with_value<request_id>(runnel::background(), 1);
              EXPECT_EQ(*ctx.value<request_id>(), 1);
            }),
            1 + hardly_any);
  EXPECT_LE(allocations([] {
              auto [ctx, cancel] = runnel::with_cancel(runnel::background());
              cancel();
            }),
            1 + hardly_any);
  EXPECT_LE(allocations([] {
              auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 1h);
              cancel();
            }),
            2 + hardly_any);
  EXPECT_LE(allocations([] {
              auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 0s);
              EXPECT_TRUE(ctx.err());
            }),
            2 + hardly_any);
}

MATRIX_TEST(Allocations, OnceValueAllocatesWhenMadeOnly_ON09) {
  const auto answer = runnel::once_value([] { return 42; });
  EXPECT_LE(allocations([&] { EXPECT_EQ(answer(), 42); }), hardly_any);
  EXPECT_LE(allocations([] { (void)runnel::once_value([] { return 42; }); }), 2 + hardly_any);
}

}  // namespace
