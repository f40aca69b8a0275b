// Programs that look stuck for a while and are not: no report may come (DL-08, DL-10, DL-11, DL-13, DL-14). Those
// that wake up print "woken" and end with status 0; the others are ended by an alarm.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <thread>

#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/process.hpp>
#include <runnel/select.hpp>
#include <runnel/signal.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

namespace {

constexpr auto quiet = 1200ms;  // longer than any delay of the report

void alarm_after_quiet() {
  const struct itimerval t {
    {0, 0}, { 1, 200'000 }
  };
  ::setitimer(ITIMER_REAL, &t, nullptr);
}

[[noreturn]] void block_for_ever() {
  chan<int>().recv();
  std::abort();
}

/// main waits for somebody else to send.
template <class F>
void woken_by(F starter) {
  runnel::run([&] {
    chan<void> c;
    starter(c);
    c.recv();
    say("woken");
  });
}

}  // namespace

SCENARIO(sleeper) {  // DL-08
  woken_by([](chan<void> c) {
    runnel::go([c] {
      runnel::sleep_for(quiet);
      c.send();
    });
  });
}

SCENARIO(sleep_for_an_hour) {  // DL-08
  alarm_after_quiet();
  runnel::run([] {
    runnel::go([] { runnel::sleep_for(1h); });
    block_for_ever();
  });
}

// Timers that fire at about the time when sysmon begins to look for a deadlock.
SCENARIO(callbacks_during_the_look) {
  runnel::run([] {
    for (auto delay = 14'000us; delay < 17'000us; delay += 50us) {
      const chan<void> fired;
      runnel::after_func(delay, [=] { fired.send(); });
      fired.recv();
    }
    say("woken");
  });
}

SCENARIO(callback_in_an_hour) {  // DL-08
  alarm_after_quiet();
  runnel::run([] {
    auto t = runnel::after_func(1h, [] {});
    block_for_ever();
  });
}

SCENARIO(callback) {  // DL-08
  woken_by([](chan<void> c) { runnel::after_func(quiet, [c] { c.send(); }); });
}

SCENARIO(awaited_timer) {  // DL-08, DL-09
  alarm_after_quiet();
  runnel::run([] {
    runnel::timer t(1h);
    runnel::go([c = t.chan()] { c.recv(); });
    block_for_ever();
  });
}

SCENARIO(awaited_ticker) {  // DL-09
  alarm_after_quiet();
  runnel::run([] {
    runnel::ticker t(10ms);
    runnel::go([c = t.chan()] {
      for (;;) c.recv();
    });
    block_for_ever();
  });
}

SCENARIO(select_with_timeout) {
  runnel::run([] {
    chan<int> c;
    runnel::select(runnel::on_recv(c), runnel::on_timeout(quiet, [] { say("woken"); }));
  });
}

SCENARIO(receive_with_timeout) {
  runnel::run([] {
    if (chan<int>().recv_for(quiet).timed_out()) say("woken");
  });
}

SCENARIO(lock_with_timeout) {
  runnel::run([] {
    runnel::timed_mutex m;
    m.lock();
    if (!m.try_lock_for(quiet)) say("woken");
  });
}

SCENARIO(descriptor) {  // DL-10
  woken_by([](chan<void> c) {
    runnel::go([c] {
      const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
      const struct itimerspec t {
        {0, 0}, { 1, 200'000'000 }
      };
      if (::timerfd_settime(fd, 0, &t, nullptr) != 0) std::abort();
      if (runnel::wait_readable(fd)) std::abort();
      c.send();
    });
  });
}

SCENARIO(subscription) {
  runnel::run([] {
    const runnel::signal_subscription s = runnel::notify({SIGALRM});
    alarm_after_quiet();
    if (s.chan().recv() == SIGALRM) say("woken");
  });
}

SCENARIO(child) {
  runnel::run([] {
    runnel::process p = runnel::spawn({.arguments = {"sleep", "1.2"}});
    if (!p.wait()) say("woken");
  });
}

SCENARIO(system_call) {  // DL-11
  woken_by([](chan<void> c) {
    runnel::go([c] {
      ::usleep(1'200'000);
      c.send();
    });
  });
}

SCENARIO(inside_blocking) {  // DL-11
  woken_by([](chan<void> c) {
    runnel::go([c] {
      runnel::blocking([] { ::usleep(1'200'000); });
      c.send();
    });
  });
}

SCENARIO(main_inside_blocking) {  // DL-11
  runnel::run([] {
    runnel::go([] { chan<int>().recv(); });
    runnel::blocking([] { ::usleep(1'200'000); });
    say("woken");
  });
}

SCENARIO(computing) {
  woken_by([](chan<void> c) {
    runnel::go([c] {
      const auto end = std::chrono::steady_clock::now() + quiet;
      while (std::chrono::steady_clock::now() < end) {
      }
      c.send();
    });
  });
}

SCENARIO(foreign_thread) {  // DL-13
  std::thread t;
  woken_by([&](chan<void> c) {
    t = std::thread([c] {
      ::usleep(1'200'000);
      c.send();
    });
  });
  t.join();
}

// Parked in this library, but with a timeout.
SCENARIO(thread_with_timeout) {
  std::thread t;
  woken_by([&](chan<void> c) {
    t = std::thread([c] {
      (void)chan<int>().recv_for(quiet);
      c.send();
    });
  });
  t.join();
}

// A thread that sat in run() of its own is an ordinary thread again afterwards.
SCENARIO(thread_after_its_run) {
  chan<void> c;
  std::thread t([c] {
    runnel::run([] {});
    ::usleep(1'200'000);
    c.send();
  });
  runnel::run([&] {
    c.recv();
    say("woken");
  });
  t.join();
}

SCENARIO(main_returns) {  // DL-14
  runnel::run([] {
    for (int i = 0; i < 3; ++i) runnel::go([] { chan<int>().recv(); });
    runnel::yield();
  });
  ::usleep(1'200'000);  // no run is active: nothing to report
  say("woken");
}

SCENARIO(no_run_active) {
  runnel::go([] { chan<int>().recv(); });
  ::usleep(1'200'000);
  say("woken");
}

SCENARIO(ignored_by_option) {
  alarm_after_quiet();
  runnel::run({.on_deadlock = runnel::deadlock_action::ignore}, [] { block_for_ever(); });
}

SCENARIO(ignored_by_environment) {
  alarm_after_quiet();
  runnel::run([] { block_for_ever(); });
}

SCENARIO_MAIN()
