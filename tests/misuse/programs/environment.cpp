// What the environment sets.
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/signal.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

namespace {

[[gnu::noinline]] int deep(int n) {  // NOLINT
  char frame[1024];
  frame[0] = static_cast<char>(n);
  asm volatile("" : : "r"(frame) : "memory");  // all of it is on the stack
  return n == 0 ? frame[0] : deep(n - 1) + frame[0];
}

/// Bytes mapped.
rlim_t address_space() {
  unsigned long pages = 0;
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr || std::fscanf(f, "%lu", &pages) != 1) std::abort();  // NOLINT
  std::fclose(f);
  return rlim_t{pages} * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// From now on no more address space than is taken, and `more` bytes.
void allow_only(rlim_t more) {
  const rlim_t most = address_space() + more;
  const struct rlimit limit { most, most };
  ::setrlimit(RLIMIT_AS, &limit);
}

}  // namespace

SCENARIO(procs) {
  runnel::run([] { std::printf("%d\n", runnel::max_procs()); });
}
SCENARIO(procs_by_option) {
  runnel::run({.max_procs = 2}, [] { std::printf("%d\n", runnel::max_procs()); });
}
SCENARIO(deep_recursion) {
  runnel::run([] {
    runnel::wait_group wg;
    wg.go([] { deep(4000); });
    wg.wait();
    std::printf("done\n");
  });
}
// Goroutines block in the kernel while no thread can be had to replace theirs. What the library says of it is read
// here, and only then do their threads come back.
SCENARIO(threads_run_out) {
  constexpr int blocked = 16;
  ::mallopt(M_ARENA_MAX, 1);  // making an arena, a thread holds 64 MiB too much for a moment
  std::array<int, 2> input{};
  std::array<int, 2> report{};
  const int err = ::dup(2);
  if (::pipe(input.data()) != 0 || ::pipe(report.data()) != 0 || ::dup2(report[1], 2) != 2)
    std::abort();
  std::thread watcher([&] {
    std::array<char, 512> line{};
    std::size_t n = 0;
    while (n < line.size() && ::read(report[0], &line[n], 1) == 1)
      if (line[n++] == '\n') break;
    if (::write(err, line.data(), n) < 0 || ::write(input[1], line.data(), blocked) != blocked)
      std::abort();
  });
  runnel::run({.max_procs = 1}, [&] {
    const runnel::chan<void> begin;
    runnel::wait_group all;
    for (int i = 0; i < blocked; ++i)
      all.go([&] {
        begin.recv();
        char c = 0;
        if (::read(input[0], &c, 1) != 1) std::abort();
      });
    runnel::yield();
    allow_only(1U << 20U);
    begin.close();
    all.wait();
  });
  watcher.join();
  std::printf("after run\n");
}

// Plain threads start goroutines one by one, with a single thread to run them: at any moment one of them may be trying in
// vain to add another while that one goes idle.
SCENARIO(one_thread_serves_all) {
  constexpr int starters = 3;
  constexpr int each = 20'000;
  ::mallopt(M_ARENA_MAX, 1);  // see threads_run_out
  std::atomic<bool> limited{false};
  std::atomic<int> ran{0};
  std::array<std::thread, starters> threads;
  for (std::thread& t : threads)
    t = std::thread([&] {
      while (!limited) std::this_thread::yield();
      for (int i = 0; i < each; ++i) {
        runnel::wait_group one;
        one.go([&] { ++ran; });
        one.wait();
      }
    });
  runnel::run({.max_procs = 1}, [] {  // so that there are stacks for later
    runnel::wait_group all;
    const runnel::chan<void> release;
    for (int i = 0; i < 500; ++i) all.go([&] { release.recv(); });
    runnel::yield();
    release.close();
    all.wait();
  });
  allow_only(1U << 16U);
  runnel::set_max_procs(8);
  limited = true;
  for (std::thread& t : threads) t.join();
  std::printf("%s\n", ran == starters * each ? "all ran" : "some did not run");
}

namespace {

// Starts goroutines until no stack can be had for one more. All that were started then park at once, each on its own.
void run_out_of_stacks(bool begin_as_started) {
  ::mallopt(M_ARENA_MAX, 1);  // see threads_run_out
  runnel::run([&] {
    runnel::wait_group all;
    const runnel::chan<void> release;
    std::atomic<int> parked{0};
    std::atomic<int> ended{0};
    int started = 0;
    runnel::yield();
    allow_only(512U << 20U);
    try {
      for (;; ++started) {
        all.add(1);
        runnel::go([&] {
          ++parked;
          release.recv();
          ++ended;
          all.done();
        });
        if (begin_as_started) runnel::yield();
      }
    } catch (const std::system_error& e) {
      all.done();
      std::printf("%s\n", e.what());
    } catch (const std::bad_alloc&) {  // where less is left than the next goroutine's record takes
      all.done();
      std::printf("no memory for a goroutine\n");
    }
    while (parked < started) runnel::yield();
    release.close();
    all.wait();
    std::printf("%s\n", started > 100 && ended == started ? "all ran" : "some did not run");
  });
}

}  // namespace

SCENARIO(stacks_run_out) { run_out_of_stacks(true); }
SCENARIO(promises_run_out) { run_out_of_stacks(false); }
SCENARIO(leaks_two) {
  runnel::run([] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    runnel::go({.name = "left too"}, [] { runnel::chan<int>(nullptr).recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_ranging) {  // over a channel nobody closes, and over a ticker
  runnel::run([] {
    runnel::chan<void> looping;
    runnel::go({.name = "left in a loop"}, [looping] {
      looping.send();
      for (const int n : runnel::chan<int>()) (void)n;
    });
    runnel::go({.name = "left with a ticker"}, [looping] {
      const runnel::ticker ticks(std::chrono::hours(1));
      looping.send();
      for (const auto& at : ticks.chan()) (void)at;
    });
    looping.recv();
    looping.recv();
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_none) {
  runnel::run([] {
    runnel::wait_group wg;
    wg.go([] {});
    wg.wait();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_report_by_option) {
  runnel::run({.on_leak = runnel::leak_action::report}, [] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_terminate_by_option) {
  runnel::run({.on_leak = runnel::leak_action::terminate}, [] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
// Goroutines of an earlier run, or started outside any, are not this run's leaks.
SCENARIO(leaks_of_others) {
  runnel::go([] { runnel::chan<int>().recv(); });
  runnel::run([] {
    runnel::go([] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  runnel::run({.on_leak = runnel::leak_action::terminate}, [] {});
  // The library's own.
  static runnel::signal_subscription kept;
  runnel::run({.on_leak = runnel::leak_action::terminate},
              [] { kept = runnel::notify({SIGUSR1}); });
  std::printf("after run\n");
}

SCENARIO_MAIN()
