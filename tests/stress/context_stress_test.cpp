// One context that many wait for on all processors, beside operations of their own, until it is cancelled.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::with_cancel;

struct counts {
  std::atomic<long> sent{0};
  std::atomic<long> received{0};
  std::atomic<int> ended{0};
};

void give(const context& ctx, const chan<int>& to, counts& c) {
  while (to.send(ctx, 1)) ++c.sent;
  ++c.ended;
}

void take(const context& ctx, const chan<int>& from, counts& c) {
  while (from.recv(ctx)) ++c.received;
  ++c.ended;
}

void select_from(const context& ctx, const chan<int>& from, counts& c) {
  bool running = true;
  while (running) {
    runnel::select(runnel::on_recv(from, [&] { ++c.received; }),
                   runnel::on_done(ctx, [&] { running = false; }));
  }
  ++c.ended;
}

// Pairs hand values to each other, so that they enter and leave the common context all the time, until some number has
// gone through. Each must then end, and what was sent must have been received.
void exchange_until_cancelled(int pairs, long values, bool with_threads) {
  auto [ctx, cancel] = with_cancel(background());
  counts c;
  runnel::wait_group all;
  std::vector<std::thread> threads;
  for (int i = 0; i < pairs; ++i) {
    const chan<int> ch;
    all.go([&, ch, ctx = ctx] { give(ctx, ch, c); });
    if (with_threads && i == 0)
      threads.emplace_back([&, ch, ctx = ctx] { take(ctx, ch, c); });
    else if (i % 2 == 0)
      all.go([&, ch, ctx = ctx] { take(ctx, ch, c); });
    else
      all.go([&, ch, ctx = ctx] { select_from(ctx, ch, c); });
  }
  while (c.received < values) runnel::yield();
  cancel();
  all.wait();
  for (auto& t : threads) t.join();
  EXPECT_EQ(c.ended, 2 * pairs);
  EXPECT_EQ(c.sent, c.received);
}

MATRIX_TEST(ContextStress, EveryoneHearsOfTheEnd) {
  for (int round = 0; round < scaled(40); ++round) exchange_until_cancelled(8, 500, false);
}

MATRIX_TEST(ContextStress, PlainThreadsToo) {
  for (int round = 0; round < scaled(40); ++round) exchange_until_cancelled(4, 200, true);
}

// The end comes while they begin to wait.
MATRIX_TEST(ContextStress, TheEndMeetsThoseWhoComeToWait) {
  for (int round = 0; round < scaled(400); ++round) exchange_until_cancelled(4, round % 80, false);
}

}  // namespace
