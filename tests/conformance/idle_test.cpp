// Processors that have nothing to do stay asleep.
#include <gtest/gtest.h>

#include <unistd.h>
#include <array>
#include <chrono>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/proc_status.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
using runnel::wait_group;

long times_workers_slept() { return voluntary_switches("runnel-worker"); }

// One processor more than may run sleeps after this, as the watcher if there is anything to watch.
void make_one_idle() {
  wait_group blocked;
  std::binary_semaphore others_run(0);
  blocked.go([&] { runnel::blocking([&] { others_run.acquire(); }); });
  runnel::sleep_for(1ms);  // ends on another processor than the one inside blocking()
  others_run.release();
  blocked.wait();
}

void exchange(tcp_pair& c, int rounds, wait_group& w) {
  w.go([&c, rounds] {
    std::array<char, 1> message{};
    for (int i = 0; i < rounds; ++i) {
      c.far.read(message);
      c.far.write(message);
    }
  });
  w.go([&c, rounds] {
    std::array<char, 1> message{};
    for (int i = 0; i < rounds; ++i) {
      c.near.write(message);
      c.near.read(message);
    }
  });
}

// It would only pass each message on.
MATRIX_TEST(Idle, WhoMayNotRunIsNotWokenByDescriptors) {
  const int before = runnel::set_max_procs(1);
  std::vector<tcp_pair> pairs(100);
  tcp_pair silent;
  wait_group listener;
  listener.go([&] { EXPECT_FALSE(runnel::wait_readable(silent.far.native_handle())); });
  make_one_idle();
  const int rounds = scaled(40);
  const long slept = times_workers_slept();
  wait_group exchanges;
  for (tcp_pair& c : pairs) exchange(c, rounds, exchanges);
  exchanges.wait();
  EXPECT_LT(times_workers_slept() - slept, 100 * rounds / 4);
  silent.near.write(std::string("end"));
  listener.wait();
  runnel::set_max_procs(before);
}

MATRIX_TEST(Idle, BlockingWakesNobodyForNothing) {
  make_one_idle();
  const int calls = scaled(2000);
  const long slept = times_workers_slept();
  for (int i = 0; i < calls; ++i) runnel::blocking([] { ::usleep(1); });
  EXPECT_LT(times_workers_slept() - slept, calls + calls / 2);  // its own thread does, once each
}

// Those that are left behind by blocking() see to timers and descriptors, also where somebody watches already.
MATRIX_TEST(Idle, WhatBlockingLeavesIsWatched) {
  tcp_pair c;
  for (int i = 0; i < scaled(40); ++i) {
    wait_group others;
    std::counting_semaphore<> blocked(0);
    std::counting_semaphore<> done(0);
    others.go([&] {
      runnel::sleep_for(200us);
      done.release();
    });
    others.go([&] {
      std::array<char, 1> message{};
      c.far.read(message);
      done.release();
    });
    if (i % 2 == 0) runnel::yield();
    std::thread writer([&] {
      blocked.acquire();
      c.near.write(std::string("x"));
    });
    runnel::blocking([&] {
      blocked.release();
      for (int k = 0; k < 2; ++k) EXPECT_TRUE(done.try_acquire_for(10s));
    });
    others.wait();
    writer.join();
  }
}

}  // namespace
