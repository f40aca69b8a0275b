// Channels under load: goroutines and plain threads on all sides, every form of send and receive, checksummed.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/side_by_side.hpp"
#include "checksum.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::closed_channel;
using runnel::wait_group;

using value = std::unique_ptr<std::uint64_t>;

/// Sends `n` values that nobody else sends, by whichever form comes up.
void produce(const chan<value>& ch, std::uint64_t id, int n, checksum& sent) {
  dice d(id + 1);
  for (int i = 0; i < n; ++i) {
    const std::uint64_t v = id << 32 | static_cast<std::uint64_t>(i);
    auto p = std::make_unique<std::uint64_t>(v);
    switch (d.roll(4)) {
      case 0:
        ch.send(std::move(p));
        break;
      case 1:
        while (!ch.try_send(std::move(p))) runnel::yield();
        break;
      case 2:
        while (!ch.send_for(std::make_unique<std::uint64_t>(v),
                            std::chrono::microseconds(d.roll(100)))) {
        }
        break;
      default:
        runnel::select(runnel::on_send(ch, std::move(p)), runnel::on_recv(chan<int>(nullptr)));
    }
    sent.add(v);
  }
}

void consume(const chan<value>& ch, std::uint64_t id, checksum& received) {
  dice d(id + 1000);
  const auto take = [&](const value& p) { received.add(*p); };
  for (;;) {
    switch (d.roll(4)) {
      case 0: {
        const auto v = ch.recv();
        if (!v) return;
        take(*v);
        break;
      }
      case 1: {
        const auto r = ch.try_recv();
        if (r.closed()) return;
        if (r)
          take(*r);
        else
          runnel::yield();
        break;
      }
      case 2: {
        const auto r = ch.recv_for(std::chrono::microseconds(d.roll(100)));
        if (r.closed()) return;
        if (r) take(*r);
        break;
      }
      default: {
        std::vector<value> many;
        if (ch.recv_many(std::back_inserter(many), 8) == 0) return;
        for (const auto& p : many) take(p);
      }
    }
  }
}

void mixed_load(chan<value> ch, int per_producer) {
  checksum sent;
  checksum received;
  wait_group producers;
  wait_group consumers;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 8; ++i) {
    producers.add(1);
    consumers.add(1);
    const auto p = [&, i] {
      produce(ch, i, per_producer, sent);
      producers.done();
    };
    const auto c = [&, i] {
      consume(ch, i, received);
      consumers.done();
    };
    if (i % 4 == 0) {
      threads.emplace_back(p);
      threads.emplace_back(c);
    } else {
      runnel::go(p);
      runnel::go(c);
    }
  }
  producers.wait();
  ch.close();
  consumers.wait();
  runnel::blocking([&] {
    for (auto& t : threads) t.join();
  });
  EXPECT_EQ(sent, received);
  EXPECT_EQ(sent.count(), 8U * static_cast<std::uint64_t>(per_producer));
  EXPECT_EQ(ch.len(), 0U);
}

// About as long as who waits looks before it sleeps, and less, and more.
void pause_at_random(std::minstd_rand& random) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 50'000);
  while (std::chrono::steady_clock::now() < end) {
  }
}

// Plain threads ask, goroutines answer; each sleeps in between, or just does not.
MATRIX_TEST(ChanStress, ThreadsAndGoroutinesAnswerEachOther) {
  constexpr int pairs = 2;
  const int rounds = scaled(3000);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < pairs; ++i) {
    const chan<int> question;
    const chan<int> answer;
    runnel::go([=] {
      std::minstd_rand random(1);
      while (const auto q = question.recv()) {
        if (*q % 4 == 0) pause_at_random(random);
        answer.send(-*q);
      }
    });
    threads.emplace_back([=, &right] {
      std::minstd_rand random(2);
      for (int k = 1; k <= rounds; ++k) {
        if (k % 3 == 0) pause_at_random(random);
        question.send(k);
        if (answer.recv() == -k) ++right;
      }
      question.close();
    });
  }
  runnel::blocking([&] {
    for (auto& t : threads) t.join();
  });
  EXPECT_EQ(right, pairs * rounds);
}

MATRIX_TEST(ChanStress, Unbuffered) { mixed_load(chan<value>(), scaled(1000)); }
MATRIX_TEST(ChanStress, CapacityOne) { mixed_load(chan<value>(1), scaled(1000)); }
MATRIX_TEST(ChanStress, Buffered) { mixed_load(chan<value>(16), scaled(1000)); }
MATRIX_TEST(ChanStress, Unbounded) { mixed_load(chan<value>(runnel::unbounded), scaled(1000)); }

// As long as senders wait, there is something to receive, whoever else receives at the same time.
MATRIX_TEST(ChanStress, ATryNeverMissesWhileSendersWait) {
  constexpr int waiting = 200;
  for (int round = 0; round < scaled(200); ++round) {
    const chan<int> ch(1);
    ch.send(0);
    wait_group senders;
    for (int i = 0; i < waiting; ++i) senders.go([&] { ch.send(1); });
    ASSERT_TRUE(until_blocked("chan send", waiting));
    std::atomic<int> missed{0};
    const auto take_some = [&] {
      for (int i = 0; i < waiting / 2; ++i)
        if (!ch.try_recv()) ++missed;
    };
    thread_by_side(take_some, take_some);
    EXPECT_EQ(missed, 0);
    while (ch.try_recv()) {
    }
    senders.wait();
  }
}

// Close meets senders and receivers wherever they are: what was sent is received, the rest threw.
MATRIX_TEST(ChanStress, CloseInTheMiddle) {
  for (int round = 0; round < scaled(100); ++round) {
    const chan<std::uint64_t> ch(round % 4);
    checksum sent;
    checksum received;
    wait_group all;
    for (std::uint64_t g = 0; g < 4; ++g) {
      all.go([&, g] {
        try {
          for (std::uint64_t i = 0;; ++i) {
            const std::uint64_t v = g << 32 | i;
            if (i % 2 == 0)
              ch.send(v);
            else
              runnel::select(runnel::on_send(ch, v), runnel::on_send(chan<int>(nullptr), 1));
            sent.add(v);
          }
        } catch (const closed_channel&) {
        }
      });
      all.go([&] {
        for (const auto v : ch) received.add(v);
      });
    }
    dice d(static_cast<std::uint64_t>(round) + 7);
    // On one processor a yield may wait for some thousand hand-overs of each of the others.
    for (int i = d.roll(40); i > 0; --i) runnel::yield();
    ch.close();
    all.wait();
    ASSERT_EQ(sent, received);
  }
}

// The last handle goes while others still use theirs; nobody touches a channel that has died.
MATRIX_TEST(ChanStress, ChannelsComeAndGo) {
  checksum sent;
  checksum received;
  wait_group all;
  for (std::uint64_t g = 0; g < 4; ++g)
    all.go([&, g] {
      for (int i = 0; i < scaled(1000); ++i) {
        const std::uint64_t v = g << 32 | static_cast<std::uint64_t>(i);
        const chan<std::uint64_t> ch(i % 3);
        all.go([&received, ch] { received.add(ch.recv().value()); });
        ch.send(v);
        sent.add(v);
      }
    });
  all.wait();
  EXPECT_EQ(sent, received);
}

MATRIX_TEST(ChanStress, Ring) {
  constexpr int members = 101;
  const int hops = members * scaled(100);
  std::vector<chan<int>> links(members);
  const chan<void> arrived;
  wait_group all;
  std::atomic<int> seen{0};
  for (std::size_t m = 0; m < members; ++m)
    all.go([&seen, &arrived, in = links[m], out = links[(m + 1) % members]] {
      for (const int left : in) {
        ++seen;
        if (left > 0)
          out.send(left - 1);
        else
          arrived.send();
      }
    });
  links[0].send(hops);
  arrived.recv();
  for (const auto& l : links) l.close();
  all.wait();
  EXPECT_EQ(seen, hops + 1);
}

}  // namespace
