// What holds a start back.
#include "map/start_gate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double hardly_any = 1.0 / 3600;

// Gives the values in turn, then the last one for ever.
std::function<double()> readings(std::vector<double> values, int& looks) {
  return [values = std::move(values), &looks] {
    const auto i = static_cast<std::size_t>(looks++);
    return values[std::min(i, values.size() - 1)];
  };
}

gate_senses load_of(std::vector<double> values, int& looks) {
  return {.load = readings(std::move(values), looks), .free_memory = {}, .period = 1us};
}

gate_senses memory_of(std::vector<double> values, int& looks) {
  return {.load = {}, .free_memory = readings(std::move(values), looks), .period = 1us};
}

TEST(StartGate, WithoutLimitsLetsEverythingThroughAndLooksAtNothing) {
  runnel::run([] {
    int looks = 0;
    start_gate gate({}, load_of({1e9}, looks));
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_EQ(looks, 0);
  });
}

TEST(StartGate, StartsNothingAboveTheLoad) {
  runnel::run([] {
    int looks = 0;
    start_gate gate({.max_load = 2}, load_of({3, 2.01, 2, 5, 1}, looks));
    EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_EQ(looks, 3);
    EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_EQ(looks, 5);
  });
}

TEST(StartGate, StartsNothingBelowTheFreeMemory) {
  runnel::run([] {
    int looks = 0;
    start_gate gate({.min_free = 1000}, memory_of({0, 999, 1000}, looks));
    EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_EQ(looks, 3);
  });
}

TEST(StartGate, BothLimitsHaveToBeMetAtTheSameTime) {
  runnel::run([] {
    int load_looks = 0;
    int memory_looks = 0;
    gate_senses senses = load_of({1, 9, 1}, load_looks);
    senses.free_memory = readings({10, 1000}, memory_looks);
    start_gate gate({.max_load = 2, .min_free = 1000}, senses);
    EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_EQ(load_looks, 3);
    EXPECT_EQ(memory_looks, 2);
  });
}

TEST(StartGate, GivesUpWithTheContextWhileTheLoadIsHigh) {
  runnel::run([] {
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    start_gate gate({.max_load = 1}, {.load =
                                          [&] {
                                            cancel();
                                            return 9.0;
                                          },
                                      .free_memory = {},
                                      .period = 1h});
    EXPECT_TRUE(gate.wait(ctx).is(runnel::context_errc::canceled));
  });
}

TEST(StartGate, AContextThatIsDoneStartsNothing) {
  runnel::run([] {
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    cancel();
    int looks = 0;
    start_gate open({}, {});
    EXPECT_TRUE(open.wait(ctx).is(runnel::context_errc::canceled));
    start_gate limited({.rate = 1e9, .max_load = 1}, load_of({0}, looks));
    EXPECT_TRUE(limited.wait(ctx).is(runnel::context_errc::canceled));
    EXPECT_EQ(looks, 0);
  });
}

TEST(StartGate, WhatCannotBeReadIsAnErrorAndNotALicence) {
  runnel::run([] {
    int looks = 0;
    start_gate load({.max_load = 1}, load_of({unknown}, looks));
    EXPECT_NE(load.wait(runnel::background()).message().find("loadavg"), std::string::npos);
    start_gate memory({.min_free = 1}, memory_of({unknown}, looks));
    EXPECT_NE(memory.wait(runnel::background()).message().find("meminfo"), std::string::npos);
  });
}

TEST(StartGate, SpacesStartsByTheRate) {
  runnel::run([] {
    start_gate gate({.rate = 1000});
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 21; ++i) EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);  // the first is free
  });
}

TEST(StartGate, TheRateGivesUpWithTheContext) {
  runnel::run([] {
    start_gate gate({.rate = hardly_any});
    EXPECT_FALSE(gate.wait(runnel::background()));
    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 1ms);
    EXPECT_TRUE(gate.wait(ctx).is(runnel::context_errc::deadline_exceeded));
  });
}

TEST(StartGate, AStartThatWasHeldBackIsNotFollowedByAnotherAtOnce) {
  runnel::run([] {
    // Held back for at least two intervals, in which the rate alone would have allowed a start.
    const auto begin = std::chrono::steady_clock::now();
    start_gate gate(
        {.rate = 100, .max_load = 1},
        {.load = [&] { return std::chrono::steady_clock::now() - begin < 20ms ? 9.0 : 0.0; },
         .free_memory = {},
         .period = 1ms});
    EXPECT_FALSE(gate.wait(runnel::background()));
    const auto first = std::chrono::steady_clock::now();
    EXPECT_FALSE(gate.wait(runnel::background()));
    EXPECT_GE(std::chrono::steady_clock::now() - first, 9ms);
  });
}

TEST(StartGate, ManyGoroutinesPassOneByOneAndNoneIsLost) {
  runnel::run([] {
    std::atomic<int> inside = 0;
    std::atomic<bool> together = false;
    start_gate gate({.max_load = 1}, {.load =
                                          [&] {
                                            if (++inside > 1) together = true;
                                            runnel::yield();
                                            --inside;
                                            return 0.0;
                                          },
                                      .free_memory = {},
                                      .period = 1us});
    std::atomic<int> passed = 0;
    runnel::wait_group workers;
    for (int i = 0; i < 100; ++i) {
      workers.go([&] {
        if (!gate.wait(runnel::background())) ++passed;
      });
    }
    workers.wait();
    EXPECT_EQ(passed, 100);
    EXPECT_FALSE(together);
  });
}

TEST(StartGate, OneThatWaitsForItsTurnGivesUpWithItsOwnContext) {
  runnel::run([] {
    auto [first, cancel_first] = runnel::with_cancel(runnel::background());
    const runnel::chan<void> looked(1);
    start_gate gate({.max_load = 1}, {.load =
                                          [&] {
                                            looked.send();
                                            return 9.0;
                                          },
                                      .free_memory = {},
                                      .period = 1h});
    runnel::wait_group waiting;
    waiting.go([&, ctx = first] { EXPECT_TRUE(gate.wait(ctx)); });
    looked.recv();  // now it waits, and it is its turn
    auto [second, cancel_second] = runnel::with_timeout(runnel::background(), 1ms);
    EXPECT_TRUE(gate.wait(second).is(runnel::context_errc::deadline_exceeded));
    cancel_first();
    waiting.wait();
  });
}

TEST(Loadavg, IsTheAverageOrWhatCanRunNow) {
  EXPECT_DOUBLE_EQ(load_in("4.50 0.30 0.25 2/512 12345\n"), 4.5);
  EXPECT_DOUBLE_EQ(load_in("0.50 0.30 0.25 9/512 12345\n"), 8);  // one of them reads the file
  EXPECT_DOUBLE_EQ(load_in("0.00 0.00 0.00 0/512 12345\n"), 0);
}

TEST(Loadavg, ThatIsSomethingElseIsUnknown) {
  for (const char* text : {"", "x", "1.0 1.0", "1.0 1.0 1.0 2"}) {
    EXPECT_TRUE(std::isnan(load_in(text))) << text;
  }
}

TEST(Meminfo, GivesWhatIsAvailable) {
  EXPECT_DOUBLE_EQ(free_memory_in("MemTotal: 9 kB\nMemFree: 5 kB\nMemAvailable:   7 kB\n"),
                   7 * 1024);
  EXPECT_TRUE(std::isnan(free_memory_in("MemTotal: 9 kB\nMemFree: 5 kB\n")));
  EXPECT_TRUE(std::isnan(free_memory_in("")));
}

TEST(StartGate, ReadsThisMachine) {
  runnel::run([] {
    start_gate gate({.max_load = 1e9, .min_free = 1});
    EXPECT_FALSE(gate.wait(runnel::background()));
  });
}

}  // namespace
}  // namespace runnel_cli
