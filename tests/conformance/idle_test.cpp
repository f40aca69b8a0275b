// Processors that have nothing to do stay asleep.
#include <gtest/gtest.h>

#include <unistd.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
using runnel::wait_group;

std::int64_t times_workers_slept() {
  std::int64_t n = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    bool is_worker = false;
    for (std::string name, line; status >> name && std::getline(status, line);) {
      if (name == "Name:") is_worker = line.find("runnel-worker") != std::string::npos;
      if (name == "voluntary_ctxt_switches:" && is_worker) n += std::stoll(line);
    }
  }
  return n;
}

// One processor more than may run sleeps after this, as the watcher if there is anything to watch.
void make_one_idle() {
  wait_group blocked;
  blocked.go([] { runnel::blocking([] { ::usleep(20'000); }); });
  runnel::sleep_for(5ms);  // ends on another processor than the one inside blocking()
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
  const std::int64_t slept = times_workers_slept();
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
  const std::int64_t slept = times_workers_slept();
  for (int i = 0; i < calls; ++i) runnel::blocking([] { ::usleep(1); });
  EXPECT_LT(times_workers_slept() - slept, calls + calls / 2);  // its own thread does, once each
}

// Those that are left behind by blocking() see to timers and descriptors, also where somebody watches already.
MATRIX_TEST(Idle, WhatBlockingLeavesIsWatched) {
  tcp_pair c;
  for (int i = 0; i < scaled(40); ++i) {
    wait_group others;
    std::atomic<int> done{0};
    others.go([&] {
      runnel::sleep_for(200us);
      ++done;
    });
    others.go([&] {
      std::array<char, 1> message{};
      c.far.read(message);
      ++done;
    });
    if (i % 2 == 0) runnel::yield();
    std::thread writer([&] {
      ::usleep(100);
      c.near.write(std::string("x"));
    });
    runnel::blocking([&] {
      for (int k = 0; k < 10'000 && done.load() < 2; ++k) ::usleep(1'000);
    });
    EXPECT_EQ(done.load(), 2);
    others.wait();
    writer.join();
  }
}

}  // namespace
