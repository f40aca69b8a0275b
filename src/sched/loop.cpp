// Finding the next goroutine.
#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/futex.hpp"
#include "sched/contention.hpp"
#include "sched/scheduler.hpp"
#include "sched/switch.hpp"

namespace runnel::detail {
namespace {

constexpr std::uint32_t most_stolen = queue_capacity / 2;
constexpr int steal_rounds = 4;
constexpr std::uint32_t longest_streak = 4096;    // hand-overs through the next slot in a row
constexpr std::int64_t oldest_waits = 5'000'000;  // ns; see take_fairly()
constexpr std::int64_t worth_stealing = 1'000;    // ns that a slice should last after a steal
constexpr int lone_look_pauses =
    2 * pauses_per_us;  // how long a next slot must stay as it is before it is stolen

// With the lock held: after a change.
void note_global_size() noexcept {
  sched.global_size.store(sched.arrivals.count + sched.global.count);
  sched.any_arrivals.store(sched.arrivals.count != 0, std::memory_order_relaxed);  // a hint
}

void append_to(run_list& part, run_list& list) noexcept {
  std::lock_guard lock(sched.global_lock);
  part.append(list);
  note_global_size();
}

// With the lock held.
runnable* pop_global() noexcept {
  sched.arrivals_next = !sched.arrivals_next;
  run_list& first = sched.arrivals_next ? sched.arrivals : sched.global;
  run_list& second = sched.arrivals_next ? sched.global : sched.arrivals;
  runnable* r = first.pop_front();
  return r != nullptr ? r : second.pop_front();
}

// The oldest; the rest of p's part, up to `most` in all, comes into its queue.
runnable* take_part(processor& p, bool of_arrivals, std::uint32_t most) noexcept {
  run_list taken;
  {
    std::lock_guard lock(sched.global_lock);
    const std::size_t count = of_arrivals ? sched.arrivals.count : sched.global_size.load();
    const std::size_t share = count / static_cast<std::size_t>(sched.max_procs.load()) + 1;
    for (std::size_t i = 0; i < share && i < most; ++i) {
      runnable* r = of_arrivals ? sched.arrivals.pop_front() : pop_global();
      if (r == nullptr) break;
      taken.push_back(r);
    }
    note_global_size();
  }
  runnable* first = taken.pop_front();
  p.woken.push_from(taken);
  while (runnable* r = taken.pop_front()) enqueue_here(p, r);
  return first;
}

runnable* take_global(processor& p, std::uint32_t most = most_stolen) noexcept {
  return sched.global_size.load() != 0 ? take_part(p, false, most) : nullptr;
}

// At a look in passing: like those that a timer wakes, they need not wait for a fair turn. In turns with what is here.
runnable* take_arrival(processor& p) noexcept {
  if (std::exchange(p.took_arrival, false) || !sched.any_arrivals.load(std::memory_order_relaxed))
    return nullptr;
  runnable* r = take_part(p, true, fair_interval);
  p.took_arrival = r != nullptr;
  return r;
}

runnable* take_queued(processor& p) noexcept {
  if (runnable* r = p.woken.pop()) return r;
  runnable* r = p.started_here.pop();
  if (r != nullptr) p.took_started = true;
  return r;
}

void begin_slice(processor& p) noexcept {
  p.streak = 0;
  p.slice.store(next_slice(p), std::memory_order_relaxed);  // owner only
}

void end_streak(processor& p, runnable* r) noexcept {
  enqueue_here(p, r);
  p.slice.store(
      p.slice.load(std::memory_order_relaxed) | (fair_interval - 1),
      std::memory_order_relaxed);  // owner only; so that the slice that begins is a fair turn
}

// What is in the next slot goes on with the slice. sysmon ends that after its time; a streak of hand-overs that are
// so quick that many fit into it ends by their number, so that others, in the global queue too, need not wait for all of the slice.
inline runnable* take_next(processor& p) noexcept {
  if (p.next.load(std::memory_order_relaxed) == nullptr) return nullptr;
  runnable* r = p.next.exchange(nullptr);
  if (r == nullptr || ++p.streak < longest_streak) [[likely]]
    return r;
  end_streak(p, r);
  return nullptr;
}

runnable* take_any_local(processor& p) noexcept {
  if (runnable* r = take_next(p)) return r;
  begin_slice(p);
  return take_queued(p);
}

runnable* steal_from(processor& victim, processor& p) noexcept {
  std::array<runnable*, most_stolen> taken;
  if (const std::uint32_t n = victim.woken.steal_half(taken.data()); n > 0) {
    for (std::uint32_t i = 1; i < n; ++i) enqueue_here(p, taken[i]);
    p.stolen = n;
    return taken[0];
  }
  const std::int64_t half =
      std::min<std::int64_t>((victim.started_here.size() + 1) / 2, most_stolen);
  runnable* first = victim.started_here.steal();
  if (first == nullptr) return nullptr;
  p.stolen = 1;
  for (; p.stolen < half; ++p.stolen) {
    runnable* r = victim.started_here.steal();
    if (r == nullptr) break;
    if (!p.started_here.push(r)) push_global(r);
  }
  return first;
}

template <class F>
runnable* from_others(processor& p, F&& f) noexcept {
  const std::uint32_t n = sched.processors.load();
  const std::uint32_t start = p.random.below(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    processor* victim = sched.all[(start + i) % n].load();
    if (victim == nullptr || victim == &p) continue;
    if (runnable* r = f(*victim)) return r;
  }
  return nullptr;
}

// What waits for a processor whose thread does not get on. The others need never run out of work of their own, and so
// would never look for it.
runnable* steal_from_held_up(processor& p) noexcept {
  runnable* r = from_others(p, [&](processor& victim) {
    if (!victim.held_up.load(std::memory_order_relaxed)) return static_cast<runnable*>(nullptr);
    runnable* woken_last = victim.next.exchange(nullptr);
    return woken_last != nullptr ? woken_last : steal_from(victim, p);
  });
  p.stolen = 0;  // says nothing about whether stealing pays
  return r;
}

// The sources in the order in which nobody is forgotten: due timers and descriptors first, then the ends of the
// queues that the usual order neglects. Of those started here the oldest gets its turn where the newest got none since
// the last fair turn, and every so many milliseconds; at each fair turn, a tree of goroutines would grow in breadth,
// with a stack for each node.
runnable* take_fairly(processor& p) noexcept {
  look_at_sources(p);
  const std::int64_t now = sched.coarse_now.load(std::memory_order_relaxed);
  const bool neglected = !p.took_started;
  p.took_started = false;
  // In turns: neither need ever be empty. A goroutine that yields here goes to the global queue, and one that starts
  // its successor before it ends keeps the other filled.
  const bool before_global =
      p.slice.load(std::memory_order_relaxed) / fair_interval % 2 != 0;  // owner only
  if (before_global) {
    if (sched.held_up.load(std::memory_order_relaxed) != 0)  // counted anew every millisecond
      if (runnable* r = steal_from_held_up(p)) return r;
    if (neglected || now - p.oldest_at >= oldest_waits) {
      p.oldest_at = now;
      if (runnable* r = p.started_here.steal()) return r;
    }
  }
  // As many as have run since the last time: more would be in the way of those that are in the queue, and go back.
  if (runnable* r = take_global(p, fair_interval)) return r;
  if (neglected)
    if (runnable* r = p.started_here.steal()) return r;
  return p.woken.pop();
}

// For a processor that was just woken and has started goroutines left from when it stepped back: they come last, for they
// may block it again before it has looked at what waits for somebody to wake up.
runnable* take_before_leftovers(processor& p) noexcept {
  look_at_sources(p);
  if (runnable* r = take_next(p)) return r;
  if (runnable* r = p.woken.pop()) return r;
  return take_global(p);
}

bool has_run_since_woken(const processor& p) noexcept {
  return p.tick.load(std::memory_order_relaxed) != p.woken_tick;  // owner only
}

// A next slot belongs to whoever filled it while that goroutine is about to block; one that stays as it is over a
// microsecond or two is work like any other.
runnable* steal_lone(processor& victim, processor& p) noexcept {
  goroutine* g = victim.next.load();
  if (g == nullptr) return nullptr;
  const std::uint32_t tick = victim.tick.load();
  for (int i = 0; i < lone_look_pauses; ++i) cpu_pause();
  if (victim.tick.load() != tick || !victim.next.compare_exchange_strong(g, nullptr))
    return nullptr;
  p.stolen = 1;
  return g;
}

runnable* steal(processor& p) noexcept {
  for (int round = 0; round < steal_rounds; ++round) {
    if (runnable* r = from_others(p, [&](processor& v) { return steal_from(v, p); })) return r;
    if (runnable* r = from_others(p, [&](processor& v) { return steal_lone(v, p); })) return r;
    if (runnable* r = take_global(p)) return r;
  }
  return nullptr;
}

void have_patience() noexcept {
  const std::uint32_t n =
      sched.patience.load(std::memory_order_relaxed);  // a guess: lost updates do no harm
  if (n < most_patience) sched.patience.store(n * 2, std::memory_order_relaxed);
}

// What the last steal was worth, now that all of it has run. Where slices were short, the pace tells, if it is known. If
// it is not, and more has run than was stolen, nothing can be said: what was stolen may have drawn others after it.
void judge_last_steal(processor& p) noexcept {
  if (p.stolen == 0) return;
  const std::int64_t lasted = now_ns() - p.stolen_at;
  const std::uint32_t picks = p.tick.load(std::memory_order_relaxed) - p.stolen_tick;
  const bool long_slices = lasted >= std::max(p.stolen, picks) * worth_stealing;
  const pace_change change = long_slices ? pace_change::unknown : compare_pace(current_pace());
  if (long_slices || change == pace_change::quicker)
    sched.patience.store(1, std::memory_order_relaxed);
  else if (lasted < p.stolen * worth_stealing || change != pace_change::unknown)
    have_patience();
  p.stolen = 0;
}

runnable* look_at_others(processor& p) noexcept {
  judge_last_steal(p);
  runnable* r = steal(p);
  if (r == nullptr) {
    // One that has run something since it was woken was not woken in vain.
    if (!has_run_since_woken(p)) have_patience();
  } else if (p.stolen != 0) {
    p.stolen_at = now_ns();
    p.stolen_tick = p.tick.load(std::memory_order_relaxed);
  }
  return r;
}

// A plain thread that passes things to goroutines and back answers sooner than a sleeping core wakes up.
runnable* linger_for_outside(processor& p) noexcept {
  const std::uint32_t pushed = sched.pushed_outside.load(std::memory_order_relaxed);
  if (std::exchange(p.outside_seen, pushed) == pushed || !p.lingers.worth_trying()) return nullptr;
  const auto any = [] { return sched.global_size.load() != 0 || sched.stopping.load(); };
  p.lingers.tried(spin_until(any, wake_up_us));
  return take_global(p);
}

bool start_spinning(processor& p) noexcept {
  if (p.spinning) return true;
  // At most half of the active ones look for work, so that looking does not cost more than the work.
  if (2 * sched.spinning.load() >= sched.active.load()) return false;
  sched.spinning.fetch_add(1);
  p.spinning = true;
  return true;
}

// The process exits; see runtime/exit.cpp.
[[noreturn]] void stop_for_ever(processor& p) noexcept {
  p.status.store(processor_status::idle);
  std::atomic<std::uint32_t> never_changes{0};
  for (;;) futex_wait(never_changes, 0, never);
}

}  // namespace

runnable* pick_local(processor& p) noexcept {
  const std::uint32_t tick = p.tick.load(std::memory_order_relaxed) + 1;  // owner only
  p.tick.store(tick, std::memory_order_relaxed);
  // Fair turns count slices: counting picks would give a pair that hands on often less time than one that does rarely.
  if (runnable* r = take_next(p)) return r;
  // The slice is find_work()'s to begin then. Begun twice each, where each is a look turn, they would never be a fair one.
  if (look_turn(p) || to_be_judged(p)) [[unlikely]]
    return nullptr;
  begin_slice(p);
  return take_queued(p);
}

runnable* find_work(processor& p) noexcept {
  p.in_blocking.store(false, std::memory_order_relaxed);  // who was in it has left this processor
  for (;;) {
    p.status.store(processor_status::searching, std::memory_order_relaxed);
    if (sched.stopping.load()) [[unlikely]]
      stop_for_ever(p);
    if (retire_if_surplus(p) || retire_if_contended(p)) continue;
    if (std::exchange(p.slice_was_ended, false) && earliest_timer() != never) run_due_timers(p);
    runnable* r = nullptr;
    if (!has_run_since_woken(p) && !p.started_here.empty()) r = take_before_leftovers(p);
    if (r == nullptr && fair_turn(p)) {
      begin_slice(p);
      r = take_fairly(p);
    } else if (r == nullptr && look_turn(p)) {
      look_in_passing(p);
      r = take_arrival(p);
    }
    if (r == nullptr) r = take_any_local(p);
    if (r == nullptr) r = take_global(p);
    if (r == nullptr) {
      look_at_sources(p);
      r = take_any_local(p);
    }
    if (r == nullptr && start_spinning(p)) {
      r = look_at_others(p);
      if (r == nullptr) r = linger_for_outside(p);
    }
    if (r != nullptr) {
      leave_spinning(p);
      // seq_cst, then a look at `stopping`: stop_at_exit() writes that and then looks at the status, so that one of the
      // two sees the other.
      p.status.store(processor_status::running);
      if (sched.stopping.load()) [[unlikely]]
        stop_for_ever(p);
      return r;
    }
    enter_idle(p);
  }
}

bool any_runs_but(const processor* self) noexcept {
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i) {
    const processor* p = sched.all[i].load();
    if (p != nullptr && p != self && p->status.load() == processor_status::running) return true;
  }
  return false;
}

// Half of the queue and r go to the global one, so that the next pushes have room.
void make_room(processor& p, runnable* r) noexcept {
  std::array<runnable*, most_stolen> taken;
  const std::uint32_t n = p.woken.steal_half(taken.data());
  run_list list;
  for (std::uint32_t i = 0; i < n; ++i) list.push_back(taken[i]);
  list.push_back(r);
  push_global(list);
}

void push_global(runnable* r) noexcept {
  run_list one;
  one.push_back(r);
  push_global(one);
}

void push_global(run_list& list) noexcept { append_to(sched.global, list); }

// A processor that has just made this thread ready is about to look for more: to wake another one would cost more than
// to wait for it. What then stands in no queue any more has been taken by one that runs.
void push_from_outside(runnable* r) noexcept {
  sched.pushed_outside.fetch_add(1, std::memory_order_relaxed);  // a hint; see linger_for_outside()
  run_list one;
  one.push_back(r);
  append_to(sched.arrivals, one);
  if (sched.spare.load() > 0 && sched.active.load() > 0) {
    const auto somebody_looks = [] {
      return sched.global_size.load() == 0 || sched.spinning.load() != 0;
    };
    spin_until(somebody_looks, 1);
  }
  if (any_queued_work(false)) wake_for_work();
}

// To the global queue: what was woken here, and of what was started here all from the mark `from`. What stood before it
// is left for others to steal, oldest first: through the global queue all would begin before any of their children, and a
// tree of goroutines would grow in breadth, tenfold each time.
void pass_on(processor& p, std::int64_t from) noexcept {
  run_list list;
  if (runnable* r = p.next.exchange(nullptr)) list.push_back(r);
  while (runnable* r = p.woken.pop()) list.push_back(r);
  while (p.started_here.mark() > from) {
    runnable* r = p.started_here.pop();
    if (r == nullptr) break;  // thieves were faster
    list.push_back(r);
  }
  if (list.count != 0) append_to(sched.arrivals, list);
}

bool any_queued_work(bool with_next) noexcept {
  if (sched.global_size.load() != 0) return true;
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i) {
    processor* p = sched.all[i].load();
    if (p == nullptr) continue;
    if (p->has_queued_work()) return true;
    if (with_next && p->next.load() != nullptr) return true;
  }
  return false;
}

}  // namespace runnel::detail
