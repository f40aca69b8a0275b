// What the debuggers' tests look at. "stop": goroutines in several states when stop_here() is called. "start": then there are some that have not begun. "clean": a little of
// everything, without a fault. "fault": a goroutine reads memory that another has given back.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/scenario.hpp"

using namespace std::chrono_literals;

namespace {

[[gnu::noinline]] void wait_here(const runnel::chan<int>& c) {
  const auto got = c.recv();
  std::printf("%d\n", got.value_or(-1));
}

void start(std::string_view name, bool locked, const runnel::chan<int>& c,
           runnel::wait_group& all) {
  all.add(1);
  runnel::go({.name = name}, [c, locked, &all] {
    if (locked) runnel::lock_os_thread();
    wait_here(c);
    all.done();
  });
}

bool waits(std::string_view name) {
  for (const auto& g : runnel::goroutines())
    if (g.name == name) return g.state == "chan receive";
  return false;
}

extern "C" [[gnu::noinline]] void stop_here() { std::puts("stopped"); }

}  // namespace

SCENARIO(stop) {
  runnel::run([] {
    const runnel::chan<int> c;
    runnel::wait_group all;
    start("free", false, c, all);
    start("locked", true, c, all);
    while (!waits("free") || !waits("locked")) runnel::sleep_for(1ms);
    stop_here();
    c.send(1);
    c.send(1);
    all.wait();
  });
}

SCENARIO(start) {
  runnel::run({.max_procs = 1}, [] {
    // While the debugger stops all threads, others may take over from main's. They come to a few of these.
    std::atomic<bool> stopped{false};
    runnel::wait_group all;
    all.add(100);
    for (int i = 0; i < 100; ++i)
      runnel::go([&] {
        while (!stopped) {
        }
        all.done();
      });
    stop_here();
    stopped = true;
    all.wait();
  });
}

SCENARIO(clean) {
  runnel::run([] {
    const runnel::chan<int> jobs(4);
    const runnel::chan<int> results;
    runnel::wait_group workers;
    for (int w = 0; w < 20; ++w)
      workers.go([&] {
        for (const int n : jobs) results.send(n * n);
      });
    runnel::go([&] {
      for (int n = 0; n < 200; ++n) jobs.send(n);
      jobs.close();
      workers.wait();
      results.close();
    });
    long sum = 0;
    for (bool open = true; open;) {
      runnel::select(runnel::on_recv(results,
                                     [&](std::optional<int> n) {
                                       open = n.has_value();
                                       sum += n.value_or(0);
                                     }),
                     runnel::on_timeout(60s, [&] { open = false; }));
    }
    std::printf("%ld\n", sum);
  });
}

SCENARIO(fault) {
  runnel::run([] {
    auto value = std::make_unique<int>(7);
    const int* const stale = value.get();
    runnel::wait_group all;
    all.go([&] { value.reset(); });
    all.wait();
    all.go([&] { std::printf("%d\n", *stale); });
    all.wait();
  });
}

SCENARIO_MAIN()
