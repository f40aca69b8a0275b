// The composition root: puts scheduler, timers, poller and watchers together, once, at the first use.
#include <pthread.h>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

#include <runnel/go.hpp>

#include "base/clock.hpp"
#include "base/env.hpp"
#include "base/output.hpp"
#include "poll/poll.hpp"
#include "runtime/cpus.hpp"
#include "runtime/defaults.hpp"
#include "runtime/exit.hpp"
#include "sched/runs.hpp"
#include "sched/scheduler.hpp"
#include "sched/spawn.hpp"
#include "sched/start.hpp"
#include "sched/thread_agent.hpp"
#include "sched/yield.hpp"
#include "timer/timer.hpp"
#include "watch/overflow.hpp"
#include "watch/panic.hpp"
#include "watch/quit.hpp"
#include "watch/sysmon.hpp"

namespace runnel::detail {
namespace {

constinit std::atomic<bool> started{false};
constinit std::atomic<bool> forked{false};

// A variable that cannot be read ends the program at its start, not at the first goroutine.
[[maybe_unused, gnu::used]] const environment& checked_at_start = env();

void in_forked_child() noexcept {
  forked.store(true);
  set_current_processor(nullptr);
}

void start() noexcept {
  const environment& e = env();
  const bool follow_cpus = e.max_procs == 0;
  const int procs = follow_cpus ? usable_cpus() : e.max_procs;
  sched.timers = &timers();
  sched.poller = &poller();
  sched.wake_monitor = wake_sysmon;
  sched.max_procs.store(procs);
  sched.coarse_now.store(now_ns());
  choose_clock();
  set_default_stack_size(stack_size_by_default());
  guards();
  pthread_atfork(nullptr, nullptr, in_forked_child);
  install_panic_handler();
  install_overflow_handler();
  install_quit_handler();
  // The first processor exists from here on: plain threads arm their timers in its heap.
  processor* first = new_processor();
  if (first == nullptr) {
    write_stderr("fatal error: runnel: no thread can be created\n");
    end_process(2);
  }
  add_idle(*first);
  sched.spare.store(procs);
  start_sysmon(follow_cpus, usable_cpus);
  std::atexit(stop_at_exit);
  started.store(true);
}

}  // namespace

void end_if_forked() noexcept {
  if (!forked.load()) return;
  write_stderr("fatal error: runnel: the runtime does not survive fork; exec first\n");
  std::abort();
}

void ensure_started() noexcept {
  end_if_forked();
  if (started.load(std::memory_order_acquire)) [[likely]]
    return;
  static std::once_flag once;
  std::call_once(once, start);
}

}  // namespace runnel::detail
