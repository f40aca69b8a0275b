// lock_os_thread, blocking, stacks, and what the defaults are taken from (behaviours SC-02, SC-05, SC-15 to SC-22).
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/mutex.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#ifndef RUNNEL_PROGRAM_DIR
#define RUNNEL_PROGRAM_DIR "."  // child.hpp names it; no program of the misuse tests is used here
#endif
#include "../support/child.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;

pid_t thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

MATRIX_TEST(OsThread, ALockedGoroutineYieldsAndSleepsOnItsThread_SC02) {
  wait_group all;
  for (int g = 0; g < 3; ++g)
    all.go([] {
      runnel::lock_os_thread();
      const pid_t mine = thread_id();
      for (int i = 0; i < 10; ++i) {
        runnel::yield();
        ASSERT_EQ(thread_id(), mine);
        runnel::sleep_for(1ms);
        ASSERT_EQ(thread_id(), mine);
      }
    });  // ends still locked
  all.wait();
}

MATRIX_TEST(OsThread, ALockedGoroutineSendsToAnother_SC05) {
  const chan<int> ch;
  wait_group sender;
  sender.go([&] {
    runnel::lock_os_thread();
    const pid_t mine = thread_id();
    for (int i = 0; i < 10; ++i) {
      ch.send(i);
      ASSERT_EQ(thread_id(), mine);
    }
    runnel::unlock_os_thread();
  });
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ch.recv(), i);
  sender.wait();
}

MATRIX_TEST(OsThread, LockingNests_SC16) {
  wait_group all;
  all.go([] {
    runnel::lock_os_thread();
    const pid_t mine = thread_id();
    runnel::lock_os_thread();
    runnel::unlock_os_thread();
    for (int i = 0; i < 20; ++i) {  // still locked once
      runnel::sleep_for(100us);
      ASSERT_EQ(thread_id(), mine);
    }
    runnel::unlock_os_thread();
    runnel::yield();
  });
  wait_group noise;
  std::atomic<bool> stop{false};
  for (int i = 0; i < 4; ++i)
    noise.go([&] {
      while (!stop) runnel::yield();
    });
  all.wait();
  stop = true;
  noise.wait();
}

MATRIX_TEST(OsThread, UnlockingTooOftenDoesNothing_SC16) {
  runnel::unlock_os_thread();
  runnel::lock_os_thread();
  runnel::unlock_os_thread();
  runnel::unlock_os_thread();
  runnel::yield();
}

// It has the processor until it waits: nothing is handed over for a call that only needs the thread.
MATRIX_TEST(OsThread, LockingAndUnlockingMovesNobody) {
  const pid_t mine = thread_id();
  for (int i = 0; i < 100; ++i) {
    runnel::lock_os_thread();
    ASSERT_EQ(thread_id(), mine);
    runnel::unlock_os_thread();
    ASSERT_EQ(thread_id(), mine);
  }
}

// Whatever it does there, it holds up nobody.
MATRIX_TEST(OsThread, OthersRunBesideALockedGoroutine) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const auto others_run = [&](auto wait) {
    runnel::lock_os_thread();
    std::atomic<bool> ran{false};
    wait_group other;
    other.go([&] {
      ran = true;
      EXPECT_EQ(::write(ends[1], "1", 1), 1);
    });
    wait(ran);
    EXPECT_TRUE(ran);
    char c = 0;
    EXPECT_EQ(::read(ends[0], &c, 1), 1);
    other.wait();
    runnel::unlock_os_thread();
  };
  for (int i = 0; i < 3; ++i) {
    others_run([](std::atomic<bool>& ran) { ASSERT_TRUE(eventually([&] { return ran.load(); })); });
    others_run([](std::atomic<bool>& ran) {
      while (!ran) runnel::yield();
    });
    others_run([](std::atomic<bool>& ran) {
      const chan<int> polled(1);
      while (!ran) (void)polled.try_recv();  // a call of the runtime that does not wait
    });
    others_run([](std::atomic<bool>& ran) {
      while (!ran) {
      }
    });
    others_run([&](std::atomic<bool>&) {
      runnel::blocking([&] {
        pollfd p{ends[0], POLLIN, 0};
        EXPECT_EQ(::poll(&p, 1, -1), 1);
      });
    });
  }
  for (const int fd : ends) ::close(fd);
}

TEST(OsThread, LockingAPlainThreadDoesNothing) {
  runnel::lock_os_thread();
  runnel::unlock_os_thread();
}

MATRIX_TEST(OsThread, WhileLockedNobodyElseRunsOnTheThread_SC17) {
  std::atomic<pid_t> locked{0};
  std::atomic<int> trespassed{0};
  const chan<void> release;
  wait_group owner;
  const chan<void> ready(1);
  owner.go([&] {
    runnel::lock_os_thread();
    locked = thread_id();
    ready.send();
    release.recv();  // parked, and the thread with it
    if (thread_id() != locked) ++trespassed;
    runnel::unlock_os_thread();
  });
  ready.recv();
  wait_group others;
  for (int i = 0; i < 50; ++i)
    others.go([&] {
      for (int k = 0; k < 10; ++k) {
        if (thread_id() == locked) ++trespassed;
        runnel::yield();
      }
    });
  others.wait();
  release.send();
  owner.wait();
  EXPECT_EQ(trespassed, 0);
}

thread_local int tainted = 0;
[[gnu::noinline]] int
is_tainted() {  // never inlined: the address of a thread-local must not be kept across calls
  asm volatile("");
  return tainted;
}

MATRIX_TEST(OsThread, AThreadWhoseGoroutineEndedLockedIsNotUsedAgain_SC17) {
  for (int round = 0; round < 5; ++round) {
    wait_group locked;
    for (int i = 0; i < 2; ++i)
      locked.go([] {
        runnel::lock_os_thread();
        tainted = 1;
      });
    locked.wait();
    wait_group others;
    std::atomic<int> seen{0};
    for (int i = 0; i < 50; ++i)
      others.go([&] {
        seen += is_tainted();
        runnel::yield();
        seen += is_tainted();
      });
    others.wait();
    ASSERT_EQ(seen, 0);
  }
}

MATRIX_TEST(OsThread, LockingWhileTheProcessorCountChanges_SC18) {
  wait_group all;
  for (int g = 0; g < 2; ++g)
    all.go([] {
      for (int i = 0; i < scaled(100); ++i) {
        runnel::lock_os_thread();
        runnel::yield();
        runnel::unlock_os_thread();
      }
    });
  const int before = runnel::max_procs();
  for (int i = 0; i < scaled(100); ++i) {
    runnel::set_max_procs(1 + i % 4);
    runnel::yield();
  }
  all.wait();
  runnel::set_max_procs(before);
}

// -- blocking --------------------------------------------------------------------------------------------------------

MATRIX_TEST(Blocking, ReturnsAndThrowsWhatItsFunctionDid) {
  EXPECT_EQ(runnel::blocking([] { return 5; }), 5);
  int x = 0;
  int& r = runnel::blocking([&]() -> int& { return x; });
  EXPECT_EQ(&r, &x);
  EXPECT_EQ(*runnel::blocking([] { return std::make_unique<int>(3); }), 3);
  EXPECT_THROW(runnel::blocking([] { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_EQ(runnel::blocking([] { return runnel::blocking([] { return 1; }); }), 1);  // nests
  runnel::blocking([] {});
}

TEST(Blocking, WorksOnAPlainThread) {
  EXPECT_EQ(runnel::blocking([] { return 5; }), 5);
}

MATRIX_TEST(Blocking, DoesNotHoldUpOthers) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  wait_group readers;
  for (int i = 0; i < 10; ++i)
    readers.go([&] {
      char c = 0;
      EXPECT_EQ(runnel::blocking([&] { return ::read(ends[0], &c, 1); }), 1);
    });
  const chan<int> ch;
  for (int i = 0; i < 10; ++i) {
    runnel::go([ch, i] { ch.send(i); });
    EXPECT_EQ(ch.recv(), i);
  }
  ASSERT_EQ(::write(ends[1], "0123456789", 10), 10);
  readers.wait();
  for (const int fd : ends) ::close(fd);
}

MATRIX_TEST(Blocking, ChannelsWorkInside) {
  const chan<int> ch;
  wait_group other;
  other.go([&] {
    runnel::blocking([&] {
      ch.send(1);
      runnel::yield();
      ch.send(2);
    });
  });
  EXPECT_EQ(runnel::blocking([&] { return ch.recv(); }), 1);
  EXPECT_EQ(ch.recv(), 2);
  other.wait();
}

// Goroutines that block in the kernel until there is a byte for each.
void start_readers(wait_group& all, int n, int fd) {
  for (int i = 0; i < n; ++i)
    all.go([fd] {
      char c = 0;
      EXPECT_EQ(::read(fd, &c, 1), 1);
    });
}

// Whatever is done inside, as many processors are left as there were: what blocks in the kernel is overtaken, and what
// computes lets others run.
void expect_all_get_on() {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  wait_group all;
  start_readers(all, 4, ends[0]);
  all.go([&] {
    runnel::sleep_for(5ms);
    EXPECT_EQ(::write(ends[1], "0123", 4), 4);
  });
  all.wait();
  for (const int fd : ends) ::close(fd);
}

MATRIX_TEST(Blocking, LeavesAsManyProcessorsAsThereWere) {
  runnel::blocking([] {
    runnel::lock_os_thread();
    expect_all_get_on();
    runnel::unlock_os_thread();
    expect_all_get_on();
  });
  expect_all_get_on();
  for (int i = 0; i < 3; ++i) {
    runnel::lock_os_thread();
    runnel::blocking([] { runnel::unlock_os_thread(); });
    expect_all_get_on();
  }
  for (int i = 0; i < 3; ++i) {
    runnel::blocking([] { runnel::lock_os_thread(); });
    runnel::unlock_os_thread();
    expect_all_get_on();
  }
}

// The processor that a goroutine left while it was inside is a processor like all others.
MATRIX_TEST(Blocking, WhoIsLeftByOneInsideIsWatched) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const int procs = runnel::max_procs();
  wait_group readers;
  start_readers(readers, procs, ends[0]);
  runnel::go([&, procs] {
    runnel::sleep_for(50ms);
    EXPECT_EQ(::write(ends[1], "01234567", static_cast<std::size_t>(procs)), procs);
  });
  runnel::blocking([] {
    runnel::lock_os_thread();
    runnel::unlock_os_thread();
  });
  readers.wait();
  for (const int fd : ends) ::close(fd);
}

// -- stacks ----------------------------------------------------------------------------------------------------------

[[gnu::noinline]] int recurse(int depth, const chan<int>* meet) {
  volatile std::uint64_t locals[8] = {};
  for (auto& l : locals) l = static_cast<std::uint64_t>(depth);
  int below = 0;
  if (depth > 0) {
    below = recurse(depth - 1, meet);
  } else if (meet != nullptr) {
    below = meet->recv().value();
  }
  for (auto& l : locals)
    if (l != static_cast<std::uint64_t>(depth)) return -1'000'000;
  return below + 1;
}

MATRIX_TEST(Stack, DeepRecursionIsWhole_SC21) {
  wait_group all;
  const chan<int> meet;
  std::atomic<int> sum{0};
  // A sanitizer's frames are large.
  const runnel::go_options options{.stack_size = slowdown == 1 ? 0 : std::size_t{4} << 20};
  const auto start = [&](auto f) {
    all.add(1);
    runnel::go(options, [&all, f] {
      f();
      all.done();
    });
  };
  start([&] { sum += recurse(1023, nullptr); });
  start([&] {
    runnel::lock_os_thread();
    sum += recurse(1023, nullptr);
  });
  for (int i = 0; i < 3; ++i) start([&] { sum += recurse(1023, &meet); });
  for (int i = 0; i < 3; ++i) meet.send(0);
  all.wait();
  EXPECT_EQ(sum, 5 * 1024);
}

[[gnu::noinline]] int use_stack(std::size_t bytes) {
  auto* block = static_cast<volatile char*>(__builtin_alloca(bytes));
  int sum = 0;
  for (std::size_t i = 0; i < bytes; i += 1024) {
    block[i] = 1;
    sum += block[i];
  }
  return sum;
}

MATRIX_TEST(Stack, AStackSizeMayBeAskedFor) {
  const chan<int> result(1);
  runnel::go({.name = "large", .stack_size = 4 << 20}, [&] { result.send(use_stack(3 << 20)); });
  EXPECT_EQ(result.recv(), 3 * 1024);
  runnel::go({.stack_size = 64 << 10}, [&] { result.send(use_stack(16 << 10)); });
  EXPECT_EQ(result.recv(), 16);
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

MATRIX_TEST(Stack, StacksAreUsedAgain_SC22) {
  runnel::mutex m;
  std::set<const void*> stacks;
  const auto batch = [&] {
    wait_group all;
    for (int i = 0; i < 32; ++i)
      all.go([&] {
        EXPECT_EQ(use_stack(128 << 10), 128);
        const std::lock_guard lock(m);
        stacks.insert(__builtin_frame_address(0));
      });
    all.wait();
  };
  batch();
  const std::size_t before = resident_bytes();
  // All 8192 together would touch 1 GiB; a sanitizer's shadow of a quarter of them, as much and more.
  for (int i = 0; i < (slowdown == 1 ? 256 : 64); ++i) batch();
  // Every processor, those of earlier tests too, has some at hand: up to 128.
  constexpr std::size_t most = 1024;
  EXPECT_LT(stacks.size(), most);
  EXPECT_LT(resident_bytes(), before + most * (slowdown == 1 ? 128 << 10 : 512 << 10));
}

// -- defaults (SC-15): seen by a child, because the first use of the runtime decides ---------------------------------

TEST(Defaults, DISABLED_PrintMaxProcs) {
  if (const char* cpus = std::getenv("TEST_CPUS")) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
    int left = std::atoi(cpus);
    for (std::size_t c = 0; c < CPU_SETSIZE; ++c)
      if (CPU_ISSET(c, &allowed) && left-- <= 0) CPU_CLR(c, &allowed);
    ASSERT_EQ(::sched_setaffinity(0, sizeof allowed, &allowed), 0);
  }
  const char* option = std::getenv("TEST_OPTION");
  runnel::run({.max_procs = option != nullptr ? std::atoi(option) : 0},
              [] { std::printf("max_procs=%d;\n", runnel::max_procs()); });
}

std::string default_procs(std::vector<std::string> environment) {
  child c(std::filesystem::read_symlink("/proc/self/exe"),
          {"--gtest_also_run_disabled_tests", "--gtest_filter=Defaults.DISABLED_PrintMaxProcs"},
          environment);
  const auto result = c.finish();
  const auto at = result.out.find("max_procs=");
  if (at == std::string::npos) return result.describe();
  return result.out.substr(at + 10, result.out.find(';', at) - at - 10);
}

TEST(Defaults, MaxProcsComesFromOptionEnvironmentAndAffinity_SC15) {
  EXPECT_EQ(default_procs({"RUNNEL_MAXPROCS=3"}), "3");
  EXPECT_EQ(default_procs({"RUNNEL_MAXPROCS=3", "TEST_OPTION=5"}), "5");
  EXPECT_EQ(default_procs({"RUNNEL_MAXPROCS=7", "TEST_CPUS=1"}), "7");
  EXPECT_EQ(default_procs({"TEST_CPUS=1"}), "1");
  const int cpus = std::atoi(default_procs({}).c_str());
  EXPECT_GE(cpus, 1);
  EXPECT_LE(cpus, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
