// Selects under load: against each other, plain operations, closes and timeouts, checksummed.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "checksum.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_recv;
using runnel::on_send;
using runnel::on_timeout;
using runnel::otherwise;
using runnel::select;
using runnel::select_case;
using runnel::wait_group;

constexpr std::size_t width = 4;
using net = std::array<chan<std::uint64_t>, width>;

/// Everybody sends and receives on all channels of the net in one select until told to stop; what is left in it is
/// counted at the end.
void exchange(const net& c, const chan<void>& stop, std::uint64_t id, checksum& sent,
              checksum& received) {
  dice d(id + 3);
  std::uint64_t next = id << 32;
  const auto took = [&](std::optional<std::uint64_t> v) { received.add(*v); };
  for (bool running = true; running;) {
    const auto a = static_cast<std::size_t>(d.roll(width));
    const auto b = static_cast<std::size_t>(d.roll(width));
    const std::uint64_t v = next++;
    const auto gave = [&] { sent.add(v); };
    const auto end = [&] { running = false; };
    switch (
        id == 0
            ? 4
            : d.roll(
                  5)) {  // member 0 waits for everything, so that nobody is stuck without a partner
      case 0:
        select(on_send(c[a], v, gave), on_recv(c[b], took), on_recv(stop, end));
        break;
      case 1:
        select(on_recv(c[a], took), on_recv(c[b], took), on_send(c[a], v, gave),
               on_recv(stop, end));
        break;
      case 2:
        select(on_send(c[a], v, gave), on_send(c[b], v, gave), on_recv(stop, end), otherwise());
        break;
      case 3:
        select(on_send(c[a], v, gave), on_recv(c[a], took), on_recv(stop, end),
               on_timeout(std::chrono::microseconds(d.roll(50))));
        break;
      default: {
        std::vector<select_case> cases;
        for (const auto& ch : c) {
          cases.emplace_back(on_recv(ch, took));
          cases.emplace_back(on_send(ch, v, gave));
        }
        cases.emplace_back(on_recv(stop, end));
        select(cases);
      }
    }
  }
}

void exchange_for_all(int threads) {
  const net c{chan<std::uint64_t>(0), chan<std::uint64_t>(0), chan<std::uint64_t>(2),
              chan<std::uint64_t>(5)};
  const chan<void> stop;
  checksum sent;
  checksum received;
  wait_group all;
  std::vector<std::thread> plain;
  constexpr int members = 8;
  for (int i = 0; i < members; ++i) {
    const auto body = [&, i] { exchange(c, stop, static_cast<std::uint64_t>(i), sent, received); };
    if (i < threads)
      plain.emplace_back(body);
    else
      all.go(body);
  }
  EXPECT_TRUE(eventually([&] { return sent.count() > scaled(std::uint64_t{10'000}); }, 60s));
  stop.close();
  all.wait();
  runnel::blocking([&] {
    for (auto& t : plain) t.join();
  });
  for (const auto& ch : c)
    while (const auto v = ch.try_recv()) received.add(*v);
  EXPECT_EQ(sent, received);
}

MATRIX_TEST(SelectStress, GoroutinesExchange) { exchange_for_all(0); }
MATRIX_TEST(SelectStress, GoroutinesAndThreadsExchange) { exchange_for_all(3); }

// Each round, several selects share two channels and all are ended by a close or a value; the loser must be gone.
MATRIX_TEST(SelectStress, WinnersAndLosers) {
  const int rounds = scaled(1000);
  for (int i = 0; i < rounds; ++i) {
    const chan<int> a;
    const chan<int> b(i % 2);
    std::atomic<int> values{0};
    std::atomic<int> closes{0};
    wait_group all;
    for (int k = 0; k < 4; ++k)
      all.go([&] {
        const auto count = [&](std::optional<int> v) { ++(v ? values : closes); };
        select(on_recv(a, count), on_recv(b, count));
      });
    a.send(1);
    b.send(1);
    a.close();
    all.wait();
    ASSERT_EQ(values + closes, 4);
    ASSERT_GE(values.load() + static_cast<int>(b.len()), 2);
  }
}

// A timeout and a value at the same moment: the value is never lost.
MATRIX_TEST(SelectStress, TimeoutsThatMeetAValue) {
  const chan<std::uint64_t> ch;
  const chan<void> stop;
  std::atomic<bool> stopped{false};
  checksum sent;
  checksum received;
  wait_group senders;
  wait_group receivers;
  for (std::uint64_t g = 0; g < 3; ++g) {
    senders.go([&, g] {
      dice d(g + 5);
      for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(scaled(1000)); ++i) {
        const std::uint64_t v = g << 32 | i;
        select(on_send(ch, v, [&] { sent.add(v); }),
               on_timeout(std::chrono::microseconds(d.roll(30))));
      }
    });
    receivers.go([&, g] {
      dice d(g + 50);
      const auto add = [&](std::optional<std::uint64_t> v) { received.add(*v); };
      while (!stopped) {
        const std::chrono::microseconds patience(d.roll(30));
        if (g == 0) select(on_recv(ch, add), on_timeout(patience), on_recv(stop));
        if (g == 1) select(on_recv(ch, add), on_timeout(patience));
        if (g == 2) select(on_recv(runnel::after(patience)), on_recv(ch, add));
      }
    });
  }
  senders.wait();
  stopped = true;
  stop.close();
  receivers.wait();
  EXPECT_EQ(sent, received);
}

// Each value is sent to `first` and then to `second`: whoever asks both in this order never finds it in the second alone.
template <class Select>
void expect_first_first(int n, Select ordered) {
  const chan<int> first(1);
  const chan<int> second(1);
  std::thread producer([&] {
    for (int i = 0; i < n; ++i) {
      first.send(i);
      second.send(i);
    }
  });
  int got_first = 0;
  int got_second = 0;
  int wrong = 0;
  while (got_second < n) {
    ordered(on_recv(first, [&] { ++got_first; }), on_recv(second, [&] {
              ++got_second;
              if (got_second > got_first) ++wrong;
            }));
  }
  producer.join();
  EXPECT_EQ(got_first, n);
  EXPECT_EQ(wrong, 0);
}

MATRIX_TEST(SelectStress, TheOrderedOneSeesWhatCameFirst) {
  const int n = scaled(20'000);
  expect_first_first(n, [](auto&& a, auto&& b) { runnel::select_ordered(a, b); });
  expect_first_first(n, [](auto&& a, auto&& b) { runnel::select_ordered(a, b, otherwise()); });
}

}  // namespace
