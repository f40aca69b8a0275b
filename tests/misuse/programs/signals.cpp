// SIGQUIT dumps, and signals the library leaves alone (PA-16).
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

namespace {

std::atomic<bool> computing{false};

[[gnu::noinline]] void inner_frame_of_receiver(const chan<int>& c) {
  c.recv();
  say("woken");
}

std::size_t asleep() {
  std::size_t n = 0;
  for (const auto& g : runnel::goroutines())
    if (g.state == "sleep") ++n;
  return n;
}

}  // namespace

SCENARIO(everything) {
  static runnel::mutex m;
  static int fds[2];
  if (::pipe(fds) != 0) std::abort();
  runnel::run({.max_procs = 2}, [] {
    m.lock();
    chan<int> c;
    runnel::go({.name = "q_sleeper"}, [] { runnel::sleep_for(1h); });
    runnel::go({.name = "q_receiver"}, [c] { inner_frame_of_receiver(c); });
    runnel::go({.name = "q_selector"},
               [c] { runnel::select(runnel::on_recv(c), runnel::on_recv(c)); });
    runnel::go({.name = "q_locker"}, [] { m.lock(); });
    runnel::go({.name = "q_reader"}, [] { (void)runnel::wait_readable(fds[0]); });
    runnel::go({.name = "q_computer"}, [] {
      computing = true;
      for (;;) asm volatile("");  // a loop without an effect may be optimised away
    });
    while (!computing) runnel::yield();
    runnel::sleep_for(20ms);
    say("ready");
    chan<int>().recv();
  });
}

SCENARIO(quiet) {
  runnel::run([] {
    std::thread([] {
      while (runnel::goroutines().front().state != "sleep") std::this_thread::sleep_for(1ms);
      say("ready");
    }).detach();
    runnel::sleep_for(1h);
  });
}

SCENARIO(many) {
  runnel::run([] {
    std::atomic<int> begun{0};
    for (int i = 0; i < 1000; ++i)
      runnel::go([&] {
        ++begun;
        runnel::sleep_for(1h);
      });
    while (begun < 1000 || asleep() < 1000) runnel::yield();
    say("ready");
    runnel::sleep_for(1h);
  });
}

// Goroutines being woken and parked all the time while they are dumped.
SCENARIO(restless) {
  runnel::run({.max_procs = 2}, [] {
    chan<int> c;
    for (int i = 0; i < 20; ++i) {
      runnel::go([c] {
        for (;;) c.send(1);
      });
      runnel::go([c] {
        for (;;) c.recv();
      });
    }
    say("ready");
    runnel::sleep_for(1h);
  });
}

SCENARIO(own_handler) {
  struct sigaction mine {};
  mine.sa_handler = [](int) { ::_exit(5); };
  ::sigaction(SIGQUIT, &mine, nullptr);
  runnel::run([] {
    say("ready");
    runnel::sleep_for(1h);
  });
}

SCENARIO(ignored) {
  ::signal(SIGQUIT, SIG_IGN);
  runnel::run([] {
    say("ready");
    runnel::sleep_for(500ms);
  });
  say("went on");
}

SCENARIO_MAIN()
