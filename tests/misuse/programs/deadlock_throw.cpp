// deadlock_action::throw_error: the blocking call of main throws, its stack unwinds, run throws, and what it waited
// for is left as if it had never waited.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/group.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

namespace {

constexpr runnel::runtime_options throwing{.on_deadlock = runnel::deadlock_action::throw_error};

struct unwound {
  bool& flag;
  ~unwound() { flag = true; }
};

/// `wait` deadlocks; afterwards `check` finds what it waited for usable.
template <class W, class C>
void expect_throw(const char* what, W wait, C check) {
  bool destroyed = false;
  bool thrown = false;
  try {
    runnel::run(throwing, [&] {
      const unwound u{destroyed};
      wait();
    });
  } catch (const runnel::deadlock_error&) {
    thrown = true;
  }
  if (!thrown || !destroyed) {
    std::printf("%s: thrown %d, destroyed %d\n", what, thrown, destroyed);
    std::exit(1);
  }
  if (!check()) {
    std::printf("%s: not usable afterwards\n", what);
    std::exit(1);
  }
}

}  // namespace

SCENARIO(channels) {
  chan<int> c;
  expect_throw(
      "recv", [&] { c.recv(); }, [&] { return !c.try_send(1); });
  expect_throw(
      "send", [&] { c.send(1); }, [&] { return c.try_recv().empty(); });
  expect_throw(
      "nil", [&] { chan<int>(nullptr).recv(); }, [] { return true; });
  expect_throw(
      "select", [&] { runnel::select(runnel::on_recv(c), runnel::on_recv(c)); },
      [&] { return !c.try_send(1); });
  expect_throw(
      "select()", [&] { runnel::select(); }, [] { return true; });
  say("done");
}

SCENARIO(locks) {
  runnel::mutex m;
  m.lock();
  expect_throw(
      "mutex", [&] { m.lock(); },
      [&] {
        m.unlock();
        return m.try_lock();
      });
  runnel::shared_mutex rw;
  rw.lock_shared();
  expect_throw(
      "shared_mutex, exclusive", [&] { rw.lock(); },
      [&] {
        const bool readable = rw.try_lock_shared();
        rw.unlock_shared();
        rw.unlock_shared();
        return readable && rw.try_lock();
      });
  expect_throw(
      "shared_mutex, shared", [&] { rw.lock_shared(); },
      [&] {
        rw.unlock();
        return rw.try_lock();
      });
  say("done");
}

SCENARIO(others) {
  runnel::wait_group wg;
  wg.add(1);
  expect_throw(
      "wait_group", [&] { wg.wait(); },
      [&] {
        wg.done();
        wg.wait();
        return true;
      });
  runnel::semaphore s(2);
  s.acquire();
  expect_throw(
      "semaphore", [&] { s.acquire(2); },
      [&] {
        const bool free = s.try_acquire();
        s.release(2);
        return free;
      });
  runnel::mutex m;
  runnel::condition_variable cv;
  expect_throw(
      "condition_variable",
      [&] {
        std::unique_lock lock(m);
        cv.wait(lock);
      },
      [&] {
        cv.notify_one();
        return m.try_lock();
      });
  runnel::latch l(1);
  expect_throw(
      "latch", [&] { l.wait(); },
      [&] {
        l.count_down();
        return l.try_wait();
      });
  say("done");
}

// Its destructor cannot wait for what never ends; who is woken afterwards finds the group's state in place.
SCENARIO(groups) {
  static chan<int> c;
  static chan<int> woken;
  bool thrown = false;
  try {
    runnel::run(throwing, [] {
      runnel::group g;
      g.go([] {
        woken.send(*c.recv());
        return runnel::error("nobody asks any more");
      });
      g.wait();
    });
  } catch (const runnel::deadlock_error&) {
    thrown = true;
  }
  if (!thrown) std::exit(1);
  runnel::run([] {
    c.send(1);
    if (woken.recv() != 1) std::exit(1);
    while (runnel::num_goroutines() > 1) runnel::yield();
  });
  say("done");
}

// The others stay parked and can be used by the next run.
SCENARIO(others_stay) {
  static chan<int> c;
  static chan<int> answer;
  for (int i = 0; i < 3; ++i) {
    try {
      runnel::run(throwing, [] {
        runnel::go([] { answer.send(*c.recv() + 1); });
        runnel::select();
      });
      std::exit(1);
    } catch (const runnel::deadlock_error&) {
    }
    runnel::run([] {
      c.send(41);
      if (answer.recv() != 42) std::exit(1);
    });
  }
  say("done");
}

SCENARIO(caught_inside) {
  runnel::run(throwing, [] {
    chan<int> c(1);
    for (int i = 0; i < 3; ++i) {
      try {
        c.recv();
        std::exit(1);
      } catch (const runnel::deadlock_error&) {
      }
      c.send(i);
      if (c.recv() != i) std::exit(1);
    }
    say("done");
  });
}

SCENARIO(nobody_catches) {
  runnel::run(throwing, [] { runnel::select(); });
}

SCENARIO_MAIN()
