// Programs in which nobody can go on: each must be reported (DL-01 to DL-05, DL-09, DL-15, MU-08, RW-08, RW-09,
// ON-10).
#include <chrono>
#include <csignal>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
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

namespace {

[[noreturn]] void never_comes_back() {
  runnel::select();
  std::abort();
}

}  // namespace

SCENARIO(empty_select) {  // DL-01
  runnel::run([] { runnel::select(); });
}

SCENARIO(receive) {
  runnel::run([] { chan<int>().recv(); });
}

SCENARIO(receive_nil) {
  runnel::run([] { chan<int>(nullptr).recv(); });
}

SCENARIO(send_nil) {
  runnel::run([] { chan<int>(nullptr).send(1); });
}

SCENARIO(select_cases) {
  runnel::run([] {
    chan<int> a;
    chan<int> b;
    runnel::select(runnel::on_recv(a), runnel::on_send(b, 1));
  });
}

SCENARIO(locked_main) {  // DL-03
  runnel::run([] {
    runnel::lock_os_thread();
    never_comes_back();
  });
}

SCENARIO(locked_both) {  // DL-04
  runnel::run([] {
    runnel::go([] {
      runnel::lock_os_thread();
      never_comes_back();
    });
    runnel::yield();
    never_comes_back();
  });
}

// DL-05: that the poller and the timers have been used must not hide it.
SCENARIO(after_using_drivers) {
  runnel::run([] {
    int fds[2];
    if (::pipe(fds) != 0) std::abort();
    runnel::go([&] {
      runnel::sleep_for(1ms);
      if (::write(fds[1], "x", 1) != 1) std::abort();
    });
    if (runnel::wait_readable(fds[0])) std::abort();
    if (!runnel::wait_readable(-1)) std::abort();
    runnel::after(1ms).recv();
    runnel::blocking([] {});
    chan<int>().send(1);
  });
}

// A subscription that has ended and a child that has been waited for wake nobody.
SCENARIO(after_signals_and_children) {
  runnel::run([] {
    {
      const runnel::signal_subscription s = runnel::notify({SIGUSR1, SIGQUIT});
      runnel::process p = runnel::spawn({.arguments = {"true"}});
      if (p.wait()) std::abort();
    }
    never_comes_back();
  });
}

// DL-09: timers and tickers whose channels nobody awaits do not count.
SCENARIO(timers_nobody_awaits) {
  runnel::run([] {
    const runnel::timer far(1h);
    const runnel::timer near(1ms);
    const runnel::ticker ticker(1ms);
    const auto c = runnel::after(1h);
    never_comes_back();
  });
}

// ... nor do those that were awaited once, or were stopped.
SCENARIO(timers_given_up) {
  runnel::run([] {
    const runnel::ticker ticker(1ms);
    ticker.chan().recv();
    auto callback = runnel::after_func(1h, [] {});
    callback.stop();
    runnel::timer far(1h);
    runnel::select(runnel::on_recv(far.chan()), runnel::on_timeout(1ms, [] {}));
    chan<int> c;
    (void)c.recv_for(1ms);
    never_comes_back();
  });
}

// Every wait reason a deadlock can show, a goroutine each.
SCENARIO(reasons) {  // DL-15
  runnel::run([] {
    static chan<int> c;
    static chan<int> full(1);
    static runnel::mutex m;
    static runnel::shared_mutex rw;
    static runnel::shared_mutex rw_read;
    static runnel::condition_variable cv;
    static runnel::mutex cv_mutex;
    static runnel::wait_group wg;
    static runnel::semaphore s(1);
    full.send(1);
    m.lock();
    rw.lock();
    rw_read.lock_shared();
    wg.add(1);
    s.acquire();
    runnel::go({.name = "w_recv"}, [] { c.recv(); });
    runnel::go({.name = "w_send"}, [] { full.send(2); });
    runnel::go({.name = "w_select"},
               [] { runnel::select(runnel::on_recv(c), runnel::on_recv(c)); });
    runnel::go({.name = "w_no_cases"}, [] { runnel::select(); });
    runnel::go({.name = "w_nil_recv"}, [] { chan<int>(nullptr).recv(); });
    runnel::go({.name = "w_nil_send"}, [] { chan<int>(nullptr).send(1); });
    runnel::go({.name = "w_mutex"}, [] { m.lock(); });
    runnel::go({.name = "w_rlock"}, [] { rw.lock_shared(); });
    runnel::go({.name = "w_wlock"}, [] { rw_read.lock(); });
    runnel::go({.name = "w_cond"}, [] {
      std::unique_lock lock(cv_mutex);
      cv.wait(lock);
    });
    runnel::go({.name = "w_group"}, [] { wg.wait(); });
    runnel::go({.name = "w_sem"}, [] { s.acquire(); });
    runnel::this_goroutine::set_name("the main one");
    chan<int>().recv();
  });
}

SCENARIO(mutex_twice) {  // MU-08
  runnel::run([] {
    runnel::mutex m;
    m.lock();
    m.lock();
  });
}

SCENARIO(read_lock_behind_writer) {  // RW-08
  runnel::run([] {
    runnel::shared_mutex m;
    m.lock_shared();
    runnel::go([&] { m.lock(); });
    while (m.try_lock_shared()) {
      m.unlock_shared();
      runnel::yield();
    }
    m.lock_shared();
  });
}

SCENARIO(lock_then_read_lock) {  // RW-09
  runnel::run([] {
    runnel::shared_mutex m;
    m.lock();
    m.lock_shared();
  });
}

SCENARIO(once_within_itself) {  // ON-10
  runnel::run([] {
    runnel::once o;
    o.call([&] { o.call([] {}); });
  });
}

// A plain thread that is parked in this library without a timeout cannot wake anybody.
SCENARIO(thread_parked_too) {
  runnel::run([] {
    chan<int> c;
    std::thread t([=] { c.recv(); });
    t.detach();
    chan<int>().recv();
  });
}

// Two overlapping runs, both stuck.
SCENARIO(two_runs) {
  std::thread other([] { runnel::run([] { never_comes_back(); }); });
  runnel::run([] { never_comes_back(); });
}

// The report comes although much was going on before.
SCENARIO(after_a_busy_start) {
  runnel::run([] {
    runnel::wait_group wg;
    for (int i = 0; i < 1000; ++i)
      wg.go([i] {
        if (i % 3 == 0) runnel::sleep_for(1ms);
        if (i % 3 == 1) runnel::yield();
      });
    wg.wait();
    wg.add(1);
    wg.wait();
  });
}

// Nobody is woken by the last event that was still to come.
SCENARIO(last_timer_wakes_nobody) {
  runnel::run([] {
    const auto limited = runnel::with_timeout(runnel::background(), 50ms);
    chan<int>().recv();
  });
}

SCENARIO_MAIN()
