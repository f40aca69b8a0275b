// When a busy processor looks at the sources of work: timers and descriptors.
//
// At every fair turn, and in passing as often as makes sense: 64 slices are soon over where each takes a microsecond, but take
// a tenth of a second where each takes a millisecond or two. So it depends on how long they have been since the last look
// how many pass before the next. Where they suddenly last longer sysmon sees to what is late: it has the running
// processors look before their next slice.
#include <algorithm>
#include <bit>

#include "base/cpu.hpp"
#include "base/valgrind.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {
namespace {

// In us, if slices are no longer. Descriptors by all processors together, for each look is a system call.
constexpr std::uint64_t timers_every = 50;
constexpr std::uint64_t descriptors_every = 200;
constexpr std::uint64_t too_short_to_tell = 2;

// Less often only by and by: one short slice says little about those after it. Under valgrind slices take so long that how
// often it looks, and what an operation takes in instructions, would depend on the machine.
void plan_next_look(processor& p, std::uint64_t now) noexcept {
  if (runs_under_valgrind()) return;
  const std::uint64_t passed = now - p.looked_at;
  if (passed < too_short_to_tell * ticks_per_us()) return;
  const std::uint32_t slice = p.slice.load(std::memory_order_relaxed);  // owner only
  const std::uint32_t interval = p.look_mask.load(std::memory_order_relaxed) + 1;
  const std::uint64_t fit =
      std::uint64_t{slice - p.looked_slice} * timers_every * ticks_per_us() / passed;
  const auto most = std::min<std::uint64_t>(2 * interval, fair_interval);
  const auto next =
      static_cast<std::uint32_t>(std::bit_floor(std::clamp<std::uint64_t>(fit, 1, most)));
  // relaxed: if what sysmon writes meanwhile is lost, it will write it again
  p.look_mask.store(next - 1, std::memory_order_relaxed);
  p.looked_at = now;
  p.looked_slice = slice;
}

void poll_now(processor& p, std::uint64_t now) noexcept {
  sched.polled_at.store(now, std::memory_order_relaxed);  // a hint
  sched.poller->poll(0);
  const std::uint32_t polls = p.polls.load(std::memory_order_relaxed) + 1;  // owner only
  p.polls.store(polls, std::memory_order_relaxed);  // sysmon's look at it may be late
}

void run_own_timers(processor& p) noexcept {
  const std::int64_t next = p.next_timer.load();
  if (next == never) return;
  if (const std::int64_t now = now_ns(); next <= now) sched.timers->run_due(p, now);
}

}  // namespace

void look_at_sources(processor& p) noexcept {
  const std::uint64_t now = cpu_ticks();
  plan_next_look(p, now);
  if (earliest_timer() != never) run_due_timers(p);
  if (any_descriptor()) poll_now(p, now);
}

// The timers of others are theirs to look at, unless sysmon finds them late.
void look_in_passing(processor& p) noexcept {
  const std::uint64_t now = cpu_ticks();
  plan_next_look(p, now);
  if (sched.timers_late.load(std::memory_order_relaxed) && sched.timers_late.exchange(false))
    run_due_timers(p);
  else
    run_own_timers(p);
  const std::uint64_t unpolled = now - sched.polled_at.load(std::memory_order_relaxed);
  if (unpolled >= descriptors_every * ticks_per_us() && any_descriptor()) poll_now(p, now);
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

bool any_descriptor() noexcept { return sched.poller != nullptr && sched.poller->pending(); }

}  // namespace runnel::detail
