// How many processors run, and how an idle one goes to sleep without missing work.
//
// `spare` says how many more may become active: max_procs, plus one for each that is stuck or inside blocking(),
// minus the active ones. Whoever wakes a processor takes one from it first; whoever goes idle gives one back.
//
// The delicate dance. Two parties must not miss each other:
//   a publisher    puts work into a queue;          then reads `spare` and `spinning`, and wakes somebody if
//                                                   one is spare and none is spinning;
//   an idler       adds to `spare`, takes itself    then looks into all queues again, and wakes somebody (perhaps
//                  out of `spinning`;               itself) if there is work.
// Both halves are seq_cst with a write before the read, so at least one of the two sees the other. A publisher that
// finds somebody spinning may leave the rest to him: he looks into all queues after he has taken himself out of
// `spinning`, whether he found work (leave_spinning) or not (enter_idle). A waker that counted itself as spinning and
// then found nothing spare, or no thread to be had, looks again too (wake_for_work): those who went idle meanwhile took it
// for one that looks for work, and for one that runs.
//
// The watcher. One idle processor sleeps until the next timer or in the poller; the others until they are woken. It
// announces until when (watch_until), then looks at timers and descriptors again; whoever arms one reads watch_until
// afterwards and interrupts it if its own is earlier (wake_watcher). While nothing is spare nobody needs to watch:
// who gives up the role looks at `spare` afterwards, and who adds to `spare` looks whether the role is free.
#include <algorithm>
#include <mutex>

#include "base/futex.hpp"
#include "sched/contention.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr std::uint32_t woken_bit = 1;
constexpr std::uint32_t one_nudge = 2;
constexpr std::uint32_t many_fired = 8;
constexpr std::int64_t first_gathering = 50'000;  // ns
constexpr std::int64_t longest_gathering = 400'000;

bool take_spare() noexcept {
  std::int32_t n = sched.spare.load();
  while (n > 0)
    if (sched.spare.compare_exchange_weak(n, n - 1)) return true;
  return false;
}

void signal(processor& p, std::uint32_t what) noexcept {
  if (what == woken_bit)
    p.wake_word.fetch_or(woken_bit);
  else
    p.wake_word.fetch_add(one_nudge);
  if (&p == current_processor()) return;  // the watcher, by what it has found itself
  if (sched.watcher.load() == &p && sched.watcher_polls.load())
    sched.poller->interrupt();
  else
    futex_wake(&p.wake_word);
}

void push_idle(processor& p) noexcept {
  std::lock_guard lock(sched.idle_lock);
  p.next_idle = sched.idle;
  sched.idle = &p;
}

// The watcher last: it is the one whose waking costs most.
processor* pop_idle() noexcept {
  std::lock_guard lock(sched.idle_lock);
  processor** link = &sched.idle;
  if (*link == nullptr) return nullptr;
  if (*link == sched.watcher.load() && (*link)->next_idle != nullptr) link = &(*link)->next_idle;
  processor* p = *link;
  *link = p->next_idle;
  return p;
}

void stop_being_active(processor& p) noexcept {
  p.status.store(processor_status::idle);
  push_idle(p);
  note_crew_change(false);
  sched.active.fetch_sub(1);
}

bool remove_idle(processor& p) noexcept {
  std::lock_guard lock(sched.idle_lock);
  for (processor** link = &sched.idle; *link != nullptr; link = &(*link)->next_idle) {
    if (*link != &p) continue;
    *link = p.next_idle;
    return true;
  }
  return false;  // somebody is waking it
}

void count_active() noexcept {
  const bool first = sched.active.fetch_add(1) == 0;
  note_crew_change(!first);
  sched.activations.fetch_add(1);  // after `active`: see watch/deadlock.cpp
  if (first && sched.wake_monitor != nullptr) sched.wake_monitor();
}

// Who cannot run what it finds leaves it to those that run. They look in passing, and sysmon sees to what is late.
bool worth_watching() noexcept {
  return sched.spare.load() > 0 && (any_descriptor() || earliest_timer() != never);
}

// Where timers fire by the dozen, a sleep until each of them costs more than what they wake: the watcher then lets some
// come together, and is late by at most longest_gathering. Timers that come one by one are met as exactly as the kernel
// can.
void adapt_gathering(std::uint32_t fired) noexcept {
  std::int64_t& least = sched.shortest_watch;
  if (fired >= many_fired)
    least = std::clamp(2 * least, first_gathering, longest_gathering);
  else if (fired < many_fired / 2)
    least = least > first_gathering ? least / 2 : 0;
}

// How many wait for p to run them, but for those that it had started before the mark `from`.
std::uint32_t ready_here(const processor& p, std::int64_t from) noexcept {
  const auto started = static_cast<std::uint32_t>(p.started_here.mark() - from);
  return p.woken.size() + started + (p.next.load() != nullptr ? 1 : 0);
}

// What the watcher found due goes to whoever may run it: itself if a processor is spare. What it has started stands from
// the mark `from`. True: it is active now.
bool activate_watcher(processor& p, std::int64_t from) noexcept {
  const std::uint32_t ready = ready_here(p, from);
  if (ready == 0) return false;
  if (take_spare()) {
    if (remove_idle(p)) {
      p.status.store(processor_status::searching);
      count_active();
      if (ready > 1) {  // it runs one itself, and nobody was woken for the others
        p.wakes_skipped += ready - 2;
        wake_patiently(p);
      }
      return true;
    }
    sched.spare.fetch_add(1);
  }
  pass_on(p, from);
  wake_for_work();
  return false;
}

// Sleeps once as the watcher. True: active.
bool watch_once(processor& p) noexcept {
  const std::uint32_t word = p.wake_word.load();
  const std::int64_t next = earliest_timer();
  const std::int64_t deadline =
      sched.shortest_watch > 0 ? std::max(next, now_ns() + sched.shortest_watch) : next;
  const bool descriptors = any_descriptor();
  sched.watcher_polls.store(descriptors);
  sched.watch_until.store(next);
  const bool changed = (word & woken_bit) != 0 || p.wake_word.load() != word ||
                       earliest_timer() < next || any_descriptor() != descriptors;
  if (!changed) {
    if (descriptors)
      sched.poller->poll(deadline);
    else
      futex_wait(p.wake_word, word, deadline);
  }
  sched.watch_until.store(0);
  sched.watcher_polls.store(false);
  if ((p.wake_word.load() & woken_bit) != 0) return false;
  if (!descriptors && sched.spare.load() <= 0) return false;  // nothing was moved yet
  sched.watch_turns.fetch_add(1);
  const std::int64_t from = p.started_here.mark();
  const std::uint32_t fired = run_due_timers(p);
  adapt_gathering(fired);
  const bool active = activate_watcher(p, from);
  sched.watch_turns.fetch_add(1);
  // What woke nobody may have been the last that could.
  if (fired > 0 && !active && sched.wake_monitor != nullptr) sched.wake_monitor();
  return active;
}

// Sleeps until woken or, as the watcher, until there is work to run. True: not woken, but active.
bool sleep_until_needed(processor& p) noexcept {
  for (;;) {
    const std::uint32_t word = p.wake_word.load();
    if ((word & woken_bit) != 0) return false;
    if (!worth_watching()) {
      futex_wait(p.wake_word, word, never);
      continue;
    }
    processor* none = nullptr;
    if (!sched.watcher.compare_exchange_strong(none, &p)) {
      futex_wait(p.wake_word, word, never);
      continue;
    }
    bool active = false;
    while (!active && (p.wake_word.load() & woken_bit) == 0 && worth_watching())
      active = watch_once(p);
    sched.watcher.store(nullptr);
    if (active) return true;
  }
}

void stop_spinning(processor& p) noexcept {
  if (!p.spinning) return;
  p.spinning = false;
  sched.spinning.fetch_sub(1);
}

// Of the active ones, those that are neither stuck in the kernel nor inside blocking(): for each of these the limit is
// one above max_procs.
std::int32_t running_freely() noexcept { return sched.max_procs.load() - sched.spare.load(); }

bool any_idle() noexcept {
  std::lock_guard lock(sched.idle_lock);
  return sched.idle != nullptr;
}

// False: all are active, and no thread can be had for one more.
bool wake_one() noexcept {
  processor* p = pop_idle();
  if (p == nullptr) p = new_processor();
  if (p == nullptr) return false;
  count_active();
  signal(*p, woken_bit);
  return true;
}

// One at a time steps back, so that the last one sees that it is the last.
std::atomic<bool> stepping_back{false};

}  // namespace

void wake_for_work() noexcept {
  for (;;) {
    std::int32_t none = 0;
    if (sched.spare.load() <= 0 || !sched.spinning.compare_exchange_strong(none, 1)) return;
    const bool may_wake = take_spare();
    if (may_wake && wake_one()) return;
    if (may_wake) sched.spare.fetch_add(1);
    sched.spinning.fetch_sub(1);
    if (!any_queued_work(false) || (may_wake && !any_idle())) return;
  }
}

void wake_patiently(processor& p) noexcept {
  if (sched.spare.load() <= 0 || sched.spinning.load() != 0) [[likely]]
    return;
  // The watcher, which is about to become active itself.
  if (p.status.load(std::memory_order_relaxed) == processor_status::idle) return;
  if (++p.wakes_skipped < sched.patience.load(std::memory_order_relaxed)) return;
  p.wakes_skipped = 0;
  wake_for_work();
}

void sleep_idle(processor& p) noexcept {
  if (!sleep_until_needed(p)) {
    p.wake_word.fetch_and(~woken_bit);
    p.spinning = true;  // whoever woke us counted us
  }
  p.woken_tick = p.tick.load(std::memory_order_relaxed);
  begin_judging(p);
  p.looked_at = p.judged_at;
  p.looked_slice = p.slice.load(std::memory_order_relaxed);
}

void enter_idle(processor& p) noexcept {
  stop_being_active(p);
  sched.spare.fetch_add(1);
  stop_spinning(p);
  if (any_queued_work(false)) wake_for_work();
  sleep_idle(p);
}

bool retire_if_contended(processor& p) noexcept {
  if (!may_be_judged(p) || !contended(p) || stepping_back.exchange(true)) return false;
  const bool others_run = running_freely() > 1;
  if (others_run) {
    pass_on(p, p.started_here.mark());
    sched.patience.store(most_patience, std::memory_order_relaxed);
    sched.pace_before.store(0, std::memory_order_relaxed);  // one steps back for each that joins
    p.stolen = 0;
    stop_being_active(p);
    stop_spinning(p);
    sched.spare.fetch_add(1);
    // Another one that has gone idle meanwhile may have looked for work while this was moving it.
    if (running_freely() < 1 && any_queued_work(false)) wake_for_work();
  }
  stepping_back.store(false);
  if (others_run) sleep_idle(p);
  return others_run;
}

bool retire_if_surplus(processor& p) noexcept {
  std::int32_t n = sched.spare.load();
  while (n < 0) {
    if (!sched.spare.compare_exchange_weak(n, n + 1)) continue;
    pass_on(p, p.started_here.mark());
    stop_being_active(p);
    stop_spinning(p);
    if (any_queued_work(false)) wake_for_work();
    sleep_idle(p);
    return true;
  }
  return false;
}

void leave_spinning(processor& p) noexcept {
  if (!p.spinning) return;
  p.spinning = false;
  if (sched.spinning.fetch_sub(1) == 1 && sched.spare.load() > 0 && any_queued_work(false))
    wake_for_work();
}

void wake_watcher(std::int64_t deadline) noexcept {
  if (processor* w = sched.watcher.load(); w != nullptr) {
    const std::int64_t until = sched.watch_until.load();
    if (until != 0 && deadline < until) signal(*w, one_nudge);
    return;
  }
  const processor* here = current_processor();
  if (sched.active.load() > 0 && here != nullptr && !here->in_blocking.load())
    return;  // it looks before it goes idle
  if (sched.spare.load() <= 0) return;
  std::lock_guard lock(sched.idle_lock);
  if (sched.idle != nullptr) signal(*sched.idle, one_nudge);
}

void add_idle(processor& p) noexcept { push_idle(p); }

// A watcher that gives up the role meanwhile, because nothing was spare, looks again after that.
void adjust_limit(std::int32_t by) noexcept {
  sched.spare.fetch_add(by);
  if (by <= 0) return;
  if (any_queued_work(true))
    wake_for_work();
  else if (sched.watcher.load() == nullptr && worth_watching())
    wake_watcher(0);
}

int change_max_procs(int n) noexcept {
  if (n < 1) return sched.max_procs.load();
  n = std::min(n, static_cast<int>(most_processors / 2));
  const int old = sched.max_procs.exchange(n);
  if (old != n) adjust_limit(n - old);
  return old;
}

}  // namespace runnel::detail
