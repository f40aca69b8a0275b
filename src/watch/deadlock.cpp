// The deadlock report.
//
// It is made only when nobody can wake anybody: no goroutine runs or is runnable, no timer is armed (channel timers are
// armed only while somebody awaits them), no descriptor is waited for, nothing is inside blocking(), and every thread
// of the process is either the runtime's own or parked in this library without a timeout. In doubt it stays silent.
//
// All of that cannot be looked at in one instant. It is looked at twice, with the count of threads between, and nothing
// that counts movements may have moved from before the first look until after the second. Then no processor was active
// from the end of the first look on (one that became active would be counted after it has raised `active` and before it
// lowers it), so that work could only move from a timer or descriptor into a queue. The watcher's moves are counted, but
// for those out of the poller, which lets go of a descriptor after it has made ready whoever waited; hence sources are
// looked at before queues.
#include "watch/deadlock.hpp"

#include <cstdlib>
#include <cstring>

#include <runnel/detail/config.hpp>

#include "sched/runs.hpp"
#include "sched/scheduler.hpp"
#include "sched/thread_agent.hpp"
#include "watch/panic.hpp"
#include "watch/proc_stat.hpp"

namespace runnel::detail {
namespace {

constexpr int sanitizer_threads = RUNNEL_TSAN ? 1 : 0;
constexpr int num_threads_field = 20;  // of /proc/PID/stat, counted from one

bool all_quiet() noexcept {
  return earliest_timer() == never && !sched.poller->pending() && !any_queued_work(true) &&
         sched.blocking.load() == 0 && sched.active.load() == 0;
}

struct movements {
  std::uint64_t activations = sched.activations.load();
  std::uint64_t parks = sched.park_count.load();
  std::uint32_t watch_turns = sched.watch_turns.load();

  bool under_way() const noexcept { return watch_turns % 2 != 0; }
  bool operator==(const movements&) const = default;
};

// The kernel's own count; zero: cannot be told. A walk through /proc/self/task ends early where a thread ends meanwhile.
int threads_of_process() noexcept {
  char text[512];
  const char* at = read_proc_stat("/proc/self/stat", text);
  for (int field = 3; at != nullptr && field < num_threads_field; ++field)
    at = std::strchr(at + 1, ' ');
  return at != nullptr ? std::atoi(at) : 0;
}

bool others_could_wake() noexcept {
  const int known = sched.runtime_threads.load() + sched.parked_threads.load() + sanitizer_threads;
  const int all = threads_of_process();
  return all <= 0 || all > known;
}

struct wishes {
  bool terminate = false;
  bool throw_error = false;
  bool main_is_ending = false;
};

wishes ask_runs() {
  wishes w;
  for_each_run([&](active_run& r) {
    if (r.main.load() == nullptr) w.main_is_ending = true;
    if (r.action == deadlock_action::terminate) w.terminate = true;
    if (r.action == deadlock_action::throw_error) w.throw_error = true;
  });
  return w;
}

// Nobody else can make it ready now: everybody is asleep.
bool make_throw(goroutine& g) noexcept {
  auto expected = goroutine_state::waiting;
  if (!g.state.compare_exchange_strong(expected, goroutine_state::runnable)) return false;
  g.deadlocked = true;
  if (thread_agent* t = g.thread; t != nullptr)
    ready(t);
  else
    start_goroutine_here(&g);
  return true;
}

}  // namespace

deadlock_verdict check_deadlock() noexcept {
  if (!any_run() || sched.stopping.load() || panicking()) return deadlock_verdict::alive;
  const movements before;
  if (before.under_way()) return deadlock_verdict::unsure;
  if (!all_quiet()) return deadlock_verdict::alive;
  const wishes w = ask_runs();
  if (w.main_is_ending) return deadlock_verdict::alive;
  if (!w.terminate && !w.throw_error) return deadlock_verdict::none;
  if (others_could_wake() || movements() != before || !all_quiet() || movements() != before)
    return deadlock_verdict::unsure;
  if (w.terminate) fatal("all goroutines are asleep - deadlock!");
  goroutine* chosen[16];
  std::size_t n = 0;
  for_each_run([&](active_run& r) {
    goroutine* main = r.main.load();
    if (r.action == deadlock_action::throw_error && main != nullptr && n < std::size(chosen))
      chosen[n++] = main;
  });
  for (std::size_t i = 0; i < n; ++i) make_throw(*chosen[i]);
  return deadlock_verdict::alive;
}

void check_wait_at_exit() noexcept {
  const movements before;
  if (panicking() || any_runs_but(nullptr) || others_could_wake() ||
      sched.parked_armed.load() != 0 || movements() != before)
    return;
  fatal("a wait after the process has begun to exit: goroutines run no more");
}

}  // namespace runnel::detail
