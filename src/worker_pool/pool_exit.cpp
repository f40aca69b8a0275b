// What becomes of a pool whose destructor runs because the process ends: a static one.
//
// exit() runs handlers and destructors of statics in the reverse order of their registration. A
// handler registered by run(), which comes after the pool was constructed, therefore runs before
// the pool is destroyed and tells its destructor not to wait for ever: the tasks may never end, and
// the scheduler may have been stopped already.
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/output.hpp"
#include "sched/scheduler.hpp"
#include "worker_pool/pool_core.hpp"

namespace runnel::detail {

namespace {

constexpr int most_handlers = 64;  // they cannot be taken back, and static pools are made early
constexpr std::int64_t longest_wait = 100'000'000;
constexpr long poll_interval = 200'000;

constinit std::atomic<int> handlers{0};
constinit std::atomic<bool> exiting{false};
constinit std::atomic<pthread_t> exiting_thread{};

void note_exit() {
  exiting_thread.store(pthread_self());
  exiting.store(true);
}

std::string count_of(std::uint64_t n, const char* verb_one, const char* verb_many) {
  return std::to_string(n) + (n == 1 ? verb_one : verb_many);
}

}  // namespace

void watch_exit() {
  if (handlers.load() < most_handlers && handlers.fetch_add(1) < most_handlers) {
    std::atexit(note_exit);
  }
}

// Pools that others destroy meanwhile, on other threads, wait as always: what they refer to is
// about to go.
bool process_ends() noexcept {
  if (sched.stopping.load()) return true;
  return exiting.load() && pthread_equal(exiting_thread.load(), pthread_self()) != 0;
}

// Waits with the thread, not as a goroutine: the one that called exit() must stay on its thread,
// and may be a task of this very pool.
void pool_core::abandon() {
  const std::uint64_t before = stats().dropped;
  cancel({});
  const std::int64_t end = now_ns() + longest_wait;
  while (stats().running != 0 && !sched.stopping.load() && now_ns() < end) {
    const timespec ts{0, poll_interval};
    nanosleep(&ts, nullptr);
  }
  const pool_stats s = stats();
  const std::uint64_t dropped = s.dropped - before;
  if (dropped == 0 && s.running == 0) return;
  std::string text = "runnel: the process ends with worker pool";
  if (!options_.name.empty()) text += ' ' + options_.name;
  text += ": ";
  if (dropped != 0) text += count_of(dropped, " task had not run", " tasks had not run");
  if (dropped != 0 && s.running != 0) text += ", ";
  if (s.running != 0)
    text += count_of(s.running, " task was still running", " tasks were still running");
  write_stderr(text + '\n');
}

}  // namespace runnel::detail
