// The deadlock report.
//
// It is made only when nobody can wake anybody: no goroutine runs or is runnable, no timer is armed (channel timers are
// armed only while somebody awaits them), no descriptor is waited for, nothing is inside blocking(), and every thread
// of the process is either the runtime's own or parked in this library without a timeout. All of that is looked at
// twice with the count of threads between, and the count of wake-ups must not have moved. In doubt it stays silent.
#include "watch/deadlock.hpp"

#include <dirent.h>

#include <runnel/detail/config.hpp>

#include "sched/runs.hpp"
#include "sched/scheduler.hpp"
#include "sched/thread_agent.hpp"
#include "watch/panic.hpp"

namespace runnel::detail {
namespace {

constexpr int sanitizer_threads = RUNNEL_TSAN ? 1 : 0;

bool all_quiet() noexcept {
  return sched.active.load() == 0 && sched.blocking.load() == 0 && !any_queued_work(true) &&
         earliest_timer() == never && !sched.poller->pending();
}

// -1: cannot be told.
int threads_of_process() noexcept {
  DIR* dir = opendir("/proc/self/task");
  if (dir == nullptr) return -1;
  int n = 0;
  while (const dirent* entry = readdir(dir))
    if (entry->d_name[0] != '.') ++n;
  closedir(dir);
  return n;
}

bool others_could_wake() noexcept {
  const int known = sched.runtime_threads.load() + sched.parked_threads.load() + sanitizer_threads;
  const int all = threads_of_process();
  return all < 0 || all > known;
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
  if (!any_run() || sched.stopping.load() || panicking() || !all_quiet())
    return deadlock_verdict::alive;
  const wishes w = ask_runs();
  if (w.main_is_ending) return deadlock_verdict::alive;
  if (!w.terminate && !w.throw_error) return deadlock_verdict::none;
  const std::uint64_t wakeups = sched.park_count.load();
  if (others_could_wake()) return deadlock_verdict::unsure;
  if (!all_quiet() || sched.park_count.load() != wakeups) return deadlock_verdict::unsure;
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

}  // namespace runnel::detail
