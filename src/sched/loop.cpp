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

goroutine* take_global(processor& p) noexcept {
  if (sched.global_size.load() == 0) return nullptr;
  goroutine_list taken;
  {
    std::lock_guard lock(sched.global_lock);
    const std::size_t share =
        sched.global.count / static_cast<std::size_t>(sched.max_procs.load()) + 1;
    for (std::size_t i = 0; i < share && i < queue_capacity / 2; ++i) {
      goroutine* g = sched.global.pop_front();
      if (g == nullptr) break;
      taken.push_back(g);
    }
    sched.global_size.store(sched.global.count);
  }
  goroutine* first = taken.pop_front();
  while (goroutine* g = taken.pop_front()) enqueue_here(p, g);
  return first;
}

goroutine* take_queued(processor& p) noexcept {
  if (goroutine* g = p.woken.pop()) return g;
  goroutine* g = p.started_here.pop();
  if (g != nullptr) p.took_started = true;
  return g;
}

void begin_slice(processor& p) noexcept {
  p.streak = 0;
  p.slice.store(p.slice.load(std::memory_order_relaxed) + 1,
                std::memory_order_relaxed);  // owner only
}

// What is in the next slot goes on with the slice. sysmon ends that after its time; a streak of hand-overs that are
// so quick that many fit into it ends by their number, so that others, in the global queue too, need not wait for all of the slice.
goroutine* take_next(processor& p) noexcept {
  if (p.next.load(std::memory_order_relaxed) == nullptr) return nullptr;
  goroutine* g = p.next.exchange(nullptr);
  if (g == nullptr || ++p.streak < longest_streak) return g;
  enqueue_here(p, g);
  p.slice.store(
      p.slice.load(std::memory_order_relaxed) | (fair_interval - 1),
      std::memory_order_relaxed);  // owner only; so that the slice that begins is a fair turn
  return nullptr;
}

goroutine* take_any_local(processor& p) noexcept {
  if (goroutine* g = take_next(p)) return g;
  begin_slice(p);
  return take_queued(p);
}

goroutine* steal_from(processor& victim, processor& p) noexcept {
  std::array<goroutine*, most_stolen> taken;
  if (const std::uint32_t n = victim.woken.steal_half(taken.data()); n > 0) {
    for (std::uint32_t i = 1; i < n; ++i) enqueue_here(p, taken[i]);
    p.stolen = n;
    return taken[0];
  }
  const std::int64_t half =
      std::min<std::int64_t>((victim.started_here.size() + 1) / 2, most_stolen);
  goroutine* first = victim.started_here.steal();
  if (first == nullptr) return nullptr;
  p.stolen = 1;
  for (; p.stolen < half; ++p.stolen) {
    goroutine* g = victim.started_here.steal();
    if (g == nullptr) break;
    if (!p.started_here.push(g)) push_global(g);
  }
  return first;
}

template <class F>
goroutine* from_others(processor& p, F&& f) noexcept {
  const std::uint32_t n = sched.processors.load();
  const std::uint32_t start = p.random.below(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    processor* victim = sched.all[(start + i) % n].load();
    if (victim == nullptr || victim == &p) continue;
    if (goroutine* g = f(*victim)) return g;
  }
  return nullptr;
}

// What waits for a processor whose thread does not get on. The others need never run out of work of their own, and so
// would never look for it.
goroutine* steal_from_held_up(processor& p) noexcept {
  goroutine* g = from_others(p, [&](processor& victim) {
    if (!victim.held_up.load(std::memory_order_relaxed)) return static_cast<goroutine*>(nullptr);
    goroutine* woken_last = victim.next.exchange(nullptr);
    return woken_last != nullptr ? woken_last : steal_from(victim, p);
  });
  p.stolen = 0;  // says nothing about whether stealing pays
  return g;
}

void look_at_sources(processor& p) noexcept {
  if (earliest_timer() != never) run_due_timers(p);
  if (any_descriptor()) sched.poller->poll(0);
}

// The sources in the order in which nobody is forgotten: due timers and descriptors first, then the ends of the
// queues that the usual order neglects. Of those started here the oldest gets its turn where the newest got none since
// the last fair turn, and every so many milliseconds; at each fair turn, a tree of goroutines would grow in breadth,
// with a stack for each node.
goroutine* take_fairly(processor& p) noexcept {
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
      if (goroutine* g = steal_from_held_up(p)) return g;
    if (neglected || now - p.oldest_at >= oldest_waits) {
      p.oldest_at = now;
      if (goroutine* g = p.started_here.steal()) return g;
    }
  }
  if (goroutine* g = take_global(p)) return g;
  if (neglected)
    if (goroutine* g = p.started_here.steal()) return g;
  return p.woken.pop();
}

// A next slot belongs to whoever filled it while that goroutine is about to block; one that stays as it is over a
// microsecond or two is work like any other.
goroutine* steal_lone(processor& victim, processor& p) noexcept {
  goroutine* g = victim.next.load();
  if (g == nullptr) return nullptr;
  const std::uint32_t tick = victim.tick.load();
  for (int i = 0; i < lone_look_pauses; ++i) cpu_pause();
  if (victim.tick.load() != tick || !victim.next.compare_exchange_strong(g, nullptr))
    return nullptr;
  p.stolen = 1;
  return g;
}

goroutine* steal(processor& p) noexcept {
  for (int round = 0; round < steal_rounds; ++round) {
    if (goroutine* g = from_others(p, [&](processor& v) { return steal_from(v, p); })) return g;
    if (goroutine* g = from_others(p, [&](processor& v) { return steal_lone(v, p); })) return g;
    if (goroutine* g = take_global(p)) return g;
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

goroutine* look_at_others(processor& p) noexcept {
  judge_last_steal(p);
  goroutine* g = steal(p);
  if (g == nullptr)
    have_patience();
  else if (p.stolen != 0) {
    p.stolen_at = now_ns();
    p.stolen_tick = p.tick.load(std::memory_order_relaxed);
  }
  return g;
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

bool fair_turn(const processor& p) noexcept {
  return p.slice.load(std::memory_order_relaxed) % fair_interval == 0;
}

goroutine* pick_local(processor& p) noexcept {
  const std::uint32_t tick = p.tick.load(std::memory_order_relaxed) + 1;  // owner only
  p.tick.store(tick, std::memory_order_relaxed);
  // Fair turns count slices: counting picks would give a pair that hands on often less time than one that does rarely.
  if (goroutine* g = take_next(p)) return g;
  begin_slice(p);
  if (fair_turn(p) || to_be_judged(p)) [[unlikely]]
    return nullptr;
  return take_queued(p);
}

std::uint32_t run_due_timers(processor& p) noexcept {
  const std::int64_t now = now_ns();
  std::uint32_t fired = 0;
  if (p.next_timer.load() <= now) fired += sched.timers->run_due(p, now);
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i) {
    processor* other = sched.all[i].load();
    if (other != nullptr && other != &p && other->next_timer.load() <= now)
      fired += sched.timers->run_due(*other, now);
  }
  return fired;
}

std::int64_t earliest_timer() noexcept {
  std::int64_t earliest = never;
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i)
    if (processor* p = sched.all[i].load(); p != nullptr)
      earliest = std::min(earliest, p->next_timer.load());
  return earliest;
}

goroutine* find_work(processor& p) noexcept {
  for (;;) {
    p.status.store(processor_status::searching, std::memory_order_relaxed);
    if (sched.stopping.load()) [[unlikely]]
      stop_for_ever(p);
    if (retire_if_surplus(p) || retire_if_contended(p)) continue;
    if (std::exchange(p.slice_was_ended, false) && earliest_timer() != never) run_due_timers(p);
    goroutine* g = nullptr;
    if (fair_turn(p)) {
      begin_slice(p);
      g = take_fairly(p);
    }
    if (g == nullptr) g = take_any_local(p);
    if (g == nullptr) g = take_global(p);
    if (g == nullptr) {
      look_at_sources(p);
      g = take_any_local(p);
    }
    if (g == nullptr && start_spinning(p)) g = look_at_others(p);
    if (g != nullptr) {
      leave_spinning(p);
      // seq_cst, then a look at `stopping`: stop_at_exit() writes that and then looks at the status, so that one of the
      // two sees the other.
      p.status.store(processor_status::running);
      if (sched.stopping.load()) [[unlikely]]
        stop_for_ever(p);
      return g;
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

bool any_descriptor() noexcept { return sched.poller != nullptr && sched.poller->pending(); }

void enqueue_here(processor& p, goroutine* g) noexcept {
  if (p.woken.push(g)) [[likely]]
    return;
  // Full: half of it and g go to the global queue, so that the next pushes have room.
  std::array<goroutine*, most_stolen> taken;
  const std::uint32_t n = p.woken.steal_half(taken.data());
  goroutine_list list;
  for (std::uint32_t i = 0; i < n; ++i) list.push_back(taken[i]);
  list.push_back(g);
  push_global(list);
}

void push_global(goroutine* g) noexcept {
  goroutine_list one;
  one.push_back(g);
  push_global(one);
}

void push_global(goroutine_list& list) noexcept {
  std::lock_guard lock(sched.global_lock);
  sched.global.append(list);
  sched.global_size.store(sched.global.count);
}

void move_woken_to_global(processor& p) noexcept {
  goroutine_list list;
  if (goroutine* g = p.next.exchange(nullptr)) list.push_back(g);
  while (goroutine* g = p.woken.pop()) list.push_back(g);
  if (list.count != 0) push_global(list);
}

void flush_queues(processor& p) noexcept {
  goroutine_list list;
  while (goroutine* g = take_any_local(p)) list.push_back(g);
  if (list.count == 0) return;
  push_global(list);
  wake_for_work();
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
