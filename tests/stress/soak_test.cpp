// Everything at once for some seconds (5; RUNNEL_SOAK_SECONDS for longer): goroutines and threads come and go, channels,
// selects, timers and mutexes are used by all, the processor count changes; in the end every sum must be right.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/mutex.hpp>
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
using runnel::wait_group;

/// What all share. `jobs` go in at one side and come out as `results`; `bank` is moved about under mutexes.
struct world {
  chan<std::uint64_t> jobs{16};
  chan<std::uint64_t> express;
  chan<std::uint64_t> results{4};
  chan<void> stop;
  checksum submitted;
  checksum completed;
  struct account {
    runnel::mutex m;
    long balance = 1000;
  };
  std::vector<account> bank{20};
  std::atomic<std::uint64_t> ids{0};
  std::atomic<std::uint64_t> timers{0};
  std::atomic<std::uint64_t> spawned{0};
  std::atomic<std::uint64_t> threads{0};
  wait_group producers;
  wait_group workers;
  wait_group others;

  bool stopped() const { return stop.try_recv().closed(); }
};

void submit(world& w, dice& d, int n) {
  for (int i = 0; i < n; ++i) {
    const std::uint64_t v = w.ids++;
    w.submitted.add(v);
    if (d.roll(2) == 0)
      w.jobs.send(v);
    else
      runnel::select(on_send(w.express, v), on_send(w.jobs, v));
  }
}

void producer(world& w, std::uint64_t seed) {
  dice d(seed);
  while (!w.stopped()) {
    submit(w, d, 1 + d.roll(50));
    if (d.roll(8) == 0) runnel::sleep_for(std::chrono::microseconds(d.roll(500)));
  }
}

/// Takes from both inputs until both are closed; a value may be handed to a goroutine of its own.
void worker(world& w, std::uint64_t seed) {
  dice d(seed);
  auto jobs = w.jobs;
  auto express = w.express;
  while (jobs || express) {
    const auto handle = [&](chan<std::uint64_t>& from) {
      return on_recv(from, [&](std::optional<std::uint64_t> v) {
        if (!v) {
          from = nullptr;
        } else if (d.roll(4) == 0) {
          ++w.spawned;
          w.workers.go([&w, v = *v] { w.results.send(v); });
        } else {
          w.results.send(*v);
        }
      });
    };
    runnel::select(handle(jobs), handle(express),
                   on_timeout(std::chrono::milliseconds(1 + d.roll(20))));
  }
}

void banker(world& w, std::uint64_t seed) {
  dice d(seed);
  const int n = static_cast<int>(w.bank.size());
  while (!w.stopped()) {
    const int a = d.roll(n);
    const int b = d.roll(n);
    if (a == b) continue;
    auto& from = w.bank[static_cast<std::size_t>(a)];
    auto& to = w.bank[static_cast<std::size_t>(b)];
    const std::scoped_lock both(from.m, to.m);
    from.balance -= 1;
    if (d.roll(16) == 0) runnel::yield();
    to.balance += 1;
  }
}

void timekeeper(world& w, std::uint64_t seed) {
  dice d(seed);
  while (!w.stopped()) {
    runnel::timer far(1h);
    runnel::timer near(std::chrono::microseconds(d.roll(2000)));
    const std::size_t which =
        runnel::select(on_recv(near.chan()), on_recv(far.chan()), on_recv(w.stop));
    EXPECT_NE(which, 1U);
    EXPECT_TRUE(far.stop());
    if (which == 0) {
      EXPECT_FALSE(near.stop());
      ++w.timers;
    }
  }
}

/// Plain threads that join in for a while and leave.
void visitors(world& w, std::uint64_t seed) {
  dice d(seed);
  while (!w.stopped()) {
    std::vector<std::thread> guests;
    for (int i = 1 + d.roll(3); i > 0; --i) {
      ++w.threads;
      guests.emplace_back([&w, s = d.next()] {
        dice mine(s);
        submit(w, mine, 1 + mine.roll(30));
        for (int k = 0; k < 10; ++k) {
          auto& account =
              w.bank[static_cast<std::size_t>(mine.roll(static_cast<int>(w.bank.size())))];
          const std::lock_guard hold(account.m);
          account.balance += 0;
        }
      });
    }
    runnel::blocking([&] {
      for (auto& g : guests) g.join();
    });
    runnel::sleep_for(std::chrono::microseconds(d.roll(3000)));
  }
}

void resizer(world& w, std::uint64_t seed) {
  dice d(seed);
  while (!w.stopped()) {
    runnel::set_max_procs(1 + d.roll(8));
    runnel::sleep_for(std::chrono::milliseconds(1 + d.roll(10)));
  }
}

std::chrono::seconds soak_time() {
  const char* text = std::getenv("RUNNEL_SOAK_SECONDS");
  const int n = text != nullptr ? std::atoi(text) : 0;
  return std::chrono::seconds(n > 0 ? n : 5);
}

void soak() {
  world w;
  const std::uint64_t seed =
      static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  for (std::uint64_t i = 0; i < 4; ++i) {
    w.producers.go([&w, s = seed + i] { producer(w, s); });
    w.workers.go([&w, s = seed + i + 10] { worker(w, s); });
    w.others.go([&w, s = seed + i + 20] { banker(w, s); });
    w.others.go([&w, s = seed + i + 30] { timekeeper(w, s); });
  }
  w.producers.go([&w, s = seed + 40] { visitors(w, s); });
  w.others.go([&w, s = seed + 41] { resizer(w, s); });
  w.others.go([&w] {
    for (const auto v : w.results) w.completed.add(v);
  });

  std::uint64_t last = 0;
  const auto end = std::chrono::steady_clock::now() + soak_time();
  while (std::chrono::steady_clock::now() < end) {
    runnel::sleep_for(1s);
    EXPECT_GT(w.completed.count(), last) << "no progress within a second";
    last = w.completed.count();
  }
  w.stop.close();
  w.producers.wait();
  w.jobs.close();
  w.express.close();
  w.workers.wait();
  w.results.close();
  w.others.wait();

  EXPECT_EQ(w.submitted, w.completed) << "seed " << seed;
  long total = 0;
  for (const auto& a : w.bank) total += a.balance;
  EXPECT_EQ(total, 1000L * static_cast<long>(w.bank.size()));
  EXPECT_GT(w.timers, 0U);
  EXPECT_GT(w.spawned, 0U);
  EXPECT_GT(w.threads, 0U);
  std::cout << w.completed.count() << " jobs, " << w.spawned << " goroutines, " << w.timers
            << " timers, " << w.threads << " threads\n";
}

TEST(Soak, EverythingAtOnce) {
  runnel::run({.max_procs = 4}, [] {
    const std::size_t before = runnel::num_goroutines();
    soak();
    EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() <= before; }));
  });
}

}  // namespace
