#include "watch/sysmon.hpp"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "base/futex.hpp"
#include "base/output.hpp"
#include "sched/scheduler.hpp"
#include "sched/seed.hpp"
#include "stack/stack.hpp"
#include "watch/deadlock.hpp"
#include "watch/proc_stat.hpp"

namespace runnel::detail {
namespace {

constexpr std::int64_t us = 1'000;
constexpr std::int64_t ms = 1'000'000;

constexpr std::int64_t tick = 1 * ms;
constexpr std::int64_t short_tick = 200 * us;  // while processors get stuck one after the other
constexpr std::int64_t short_tick_lasts = 20 * ms;  // after the last of them
constexpr std::int64_t kernel_patience =
    800 * us;  // how long a thread may be blocked before it is replaced
constexpr std::int64_t slice =
    7 * ms;  // seen from one look to another: 8 to 12 in all, as looks are 1 to 4 apart
constexpr std::int64_t overdue = 1 * ms;        // a timer that late ends the slice of its processor
constexpr std::int64_t long_overdue = 3 * ms;   // ... and is fired from here
constexpr std::int64_t long_unpolled = 5 * ms;  // descriptors are looked at from here
constexpr std::int64_t quiet_before_sleep = 15 * ms;
constexpr std::int64_t housekeeping_interval = 1000 * ms;
constexpr std::int64_t longest_recheck = 60'000 * ms;

// What was last seen of a processor.
struct observation {
  std::uint32_t tick = 0;
  std::uint32_t slice = 0;
  std::uint32_t polls = 0;
  std::int64_t tick_since = 0;
  std::int64_t slice_since = 0;
  bool replaced = false;   // one more may be active because this one is stuck
  bool computing = false;  // ... in a computation
};

std::atomic<std::uint32_t> wake_word{0};
std::atomic<bool> asleep{false};
spinlock following_lock;
bool following = false;  // guarded by following_lock
int (*count_cpus)() noexcept = nullptr;

class monitor {
 public:
  [[noreturn]] void run() {
    for (;;) {
      const std::int64_t now = now_ns();
      sched.coarse_now.store(now, std::memory_order_relaxed);
      if (sched.stopping.load()) {
        look_at_exit();
        sleep_until(now + tick);
      } else if (look_at_processors(now)) {
        quiet_since_ = now;
        recheck_ = quiet_before_sleep;
        look_at_sources(now);
        if (any_queued_work(true)) wake_for_work();  // those who were patient guessed wrong
        housekeep(now);
        sleep_until(now + (now < short_until_ ? short_tick : tick));
      } else {
        wait_quietly(now);
      }
    }
  }

 private:
  // -- while something runs -------------------------------------------------------------------------------------------

  // False: nothing runs.
  bool look_at_processors(std::int64_t now) {
    const std::uint32_t n = sched.processors.load();
    while (seen_.size() < n) seen_.push_back({.tick_since = now, .slice_since = now});
    lower_attention();
    polled_ = false;
    for (std::uint32_t i = 0; i < n; ++i)
      if (processor* p = sched.all[i].load(); p != nullptr) look_at(*p, seen_[i], now);
    return sched.active.load() > 0;
  }

  void look_at(processor& p, observation& o, std::int64_t now) {
    const std::uint32_t t = p.tick.load();
    const processor_status status = p.status.load();
    const bool runs = status == processor_status::running;
    const std::uint32_t polls = p.polls.load(std::memory_order_relaxed);  // by the next look
    if (std::exchange(o.polls, polls) != polls) polled_ = true;
    const std::uint32_t s = p.slice.load();
    // Either changes where another goroutine is picked: the first within a slice, the second also where one that gave way
    // was followed by one from the global queue.
    if (t != o.tick || s != o.slice || !runs) {
      o.tick = t;
      o.tick_since = now;
      give_back(o);
      if (runs) set_held_up(p, false);
    }
    if (s != o.slice) {
      o.slice = s;
      o.slice_since = now;
    }
    if (!runs) {
      // What one that stepped back has left must not wait for the others to run out of work.
      const bool has_left = status == processor_status::idle && p.has_queued_work();
      if (!has_left) o.slice_since = now;
      set_held_up(p, now - o.slice_since >= slice);
      return;
    }
    if (p.in_blocking.load() && p.blocking_tick.load() == t) {  // counted by blocking() itself
      set_held_up(p, o.tick_since != now);
      return;
    }
    // Where it would only go on with the same goroutine, the slice lasts.
    if (now - o.slice_since >= slice && (work_waits(now) || sched.spare.load() < 0)) {
      end_slice(p);
      o.slice_since = now;
    }
    if (!o.replaced && is_stuck(p, o, now)) replace(o, now);
    set_held_up(p, o.replaced);
  }

  static void set_held_up(processor& p, bool now) noexcept {
    if (p.held_up.load(std::memory_order_relaxed) == now) return;  // written here only
    p.held_up.store(now);
    sched.held_up.fetch_add(now ? 1 : -1);
  }

  void give_back(observation& o) {
    if (!o.replaced) return;
    o.replaced = false;
    if (o.computing) --computing_;
    o.computing = false;
    adjust_limit(-1);
  }

  bool is_stuck(const processor& p, observation& o, std::int64_t now) {
    const std::int64_t stuck_for = now - o.tick_since;
    if (stuck_for < kernel_patience || !work_waits(now)) return false;
    // The more of them compute, the more slowly further threads are added: they share the same cores.
    o.computing = stuck_for >= slice * (1 + computing_) + tick;
    return o.computing || blocked_in_kernel(p.tid.load());
  }

  void replace(observation& o, std::int64_t now) {
    o.replaced = true;
    if (o.computing) ++computing_;
    short_until_ = now + short_tick_lasts;
    adjust_limit(1);
  }

  static bool work_waits(std::int64_t now) {
    return any_queued_work(true) || earliest_timer() <= now || unwatched_descriptors();
  }

  static bool unwatched_descriptors() {
    return sched.poller->pending() && !sched.watcher_polls.load();
  }

  static bool blocked_in_kernel(pid_t tid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", static_cast<int>(tid));
    char text[512];
    const char* const state = read_proc_stat(path, text);
    return state != nullptr &&
           (std::strncmp(state, " S", 2) == 0 || std::strncmp(state, " D", 2) == 0);
  }

  // A goroutine that makes runtime calls sees it at the next; one that makes none is replaced a little later.
  void end_slice(processor& p) {
    p.preempt.store(true);
    attention.store(1);
    raised_ = true;
  }

  // Up for one tick at a time, so that a goroutine that never comes back does not slow everybody's calls down.
  void lower_attention() {
    if (!raised_) return;
    raised_ = false;
    attention.store(0);
  }

  // A processor fires its own timers at a fraction of what it costs from here, where all that they touch is cold.
  void see_to_timers(processor& p, std::int64_t now) {
    if (p.status.load() == processor_status::running && !p.held_up.load() &&
        p.next_timer.load() > now - long_overdue)
      end_slice(p);
    else
      sched.timers->run_due(p, now);
  }

  // Those that run look at timers and descriptors when they next pick a goroutine.
  static void have_all_look() {
    const std::uint32_t n = sched.processors.load();
    for (std::uint32_t i = 0; i < n; ++i)
      if (processor* p = sched.all[i].load();
          p != nullptr && p->status.load() == processor_status::running)
        p->look_mask.store(0, std::memory_order_relaxed);  // the owner's own may come after it
  }

  // Timers and descriptors that every processor is too busy to look at. Who is woken from here has to be fetched from the
  // global queue, so the processors are asked first.
  void look_at_sources(std::int64_t now) {
    const bool late = earliest_timer() <= now - overdue;
    const bool unpolled = !polled_ && unwatched_descriptors();
    if (!unpolled) polled_since_ = now;
    if (late) sched.timers_late.store(true);
    if (late || unpolled || sched.any_arrivals.load(std::memory_order_relaxed)) have_all_look();
    if (late) {
      const std::uint32_t n = sched.processors.load();
      for (std::uint32_t i = 0; i < n; ++i)
        if (processor* p = sched.all[i].load(); p != nullptr && p->next_timer.load() <= now)
          see_to_timers(*p, now);
    }
    if (now - polled_since_ >= long_unpolled) sched.poller->poll(0);
  }

  // True: there is more to do later.
  bool housekeep(std::int64_t now) {
    if (now - kept_house_ < housekeeping_interval) return true;
    kept_house_ = now;
    count_cpus_again();
    bool more = false;
    for (stack_class& c : stack_classes) more = c.trim() || more;
    more = seeds.trim() || more;
    return more;
  }

  // -- while nothing does ---------------------------------------------------------------------------------------------

  void wait_quietly(std::int64_t now) {
    if (now - quiet_since_ < quiet_before_sleep) {
      sleep_until(now + tick);
      return;
    }
    const std::uint32_t word = wake_word.load();
    asleep.store(true);
    // From here on whoever begins to run wakes us; what began before is seen now.
    if (sched.active.load() > 0) {
      asleep.store(false);
      return;
    }
    std::int64_t until = never;
    const deadlock_verdict verdict = check_deadlock();
    if (verdict == deadlock_verdict::unsure) {
      until = now + recheck_;
      recheck_ = std::min(2 * recheck_, longest_recheck);
    }
    if (housekeep(now)) until = std::min(until, kept_house_ + housekeeping_interval);
    futex_wait(wake_word, word, until);
    asleep.store(false);
    if (wake_word.load() != word) quiet_since_ = now_ns();
  }

  // -- while the process exits ----------------------------------------------------------------------------------------

  // Processors look at timers and descriptors no more, but a plain thread, as in an exit handler, may wait for one.
  static void look_at_exit() {
    if (sched.parked_armed.load() == 0) return check_wait_at_exit();
    run_due_timers(*sched.all[0].load());
    if (unwatched_descriptors()) sched.poller->poll(0);
  }

  static void sleep_until(std::int64_t until) { futex_wait(never_changes_, 0, until); }

  static inline std::atomic<std::uint32_t> never_changes_{0};
  std::vector<observation> seen_;
  int computing_ = 0;  // replaced because they compute
  std::int64_t short_until_ = 0;
  std::int64_t quiet_since_ = 0;
  std::int64_t recheck_ = quiet_before_sleep;
  std::int64_t kept_house_ = 0;
  bool raised_ = false;
  bool polled_ = false;  // a processor has looked at the poller since the last tick
  std::int64_t polled_since_ = 0;
};

// Its waking takes the CPU from nobody who runs there: where one is free, as where a thread has blocked, it runs at once,
// or else at the kernel's next tick.
void interrupt_nobody() noexcept {
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  constexpr sched_param no_priority{};
  sched.monitor_is_batch.store(sched_setscheduler(0, SCHED_BATCH, &no_priority) == 0);
}

void* monitor_main(void*) {
  pthread_setname_np(pthread_self(), "runnel-sysmon");
  interrupt_nobody();
  monitor m;  // not static: it runs on while statics are destroyed
  m.run();
}

}  // namespace

void start_sysmon(bool follow, int (*cpus)() noexcept) noexcept {
  follow_cpus(follow);
  count_cpus = cpus;
  if (start_runtime_thread(monitor_main, nullptr, 0)) return;
  write_stderr("fatal error: runnel: no thread can be created\n");
  end_process(2);
}

void wake_sysmon() noexcept {
  if (!asleep.load()) return;
  wake_word.fetch_add(1);
  futex_wake(&wake_word);
}

void follow_cpus(bool follow) noexcept {
  std::lock_guard lock(following_lock);
  following = follow;
}

// Counting takes long enough for a program to choose a number meanwhile, which then holds.
void count_cpus_again() noexcept {
  const int cpus = count_cpus();
  std::lock_guard lock(following_lock);
  if (following) change_max_procs(cpus);
}

}  // namespace runnel::detail
