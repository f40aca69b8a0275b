// When processors fight over locks more than they work, fewer of them get more done.
//
// Two cores that use one channel without doing much else spend their time on fetching its cache lines from each other:
// an item then costs ten times what it costs on one core. A processor that spends a good part of its time waiting for
// the small locks, or for mutexes that are held as briefly, while others get on with their goroutines, gives them what
// was woken on it, leaves what was started on it to be stolen, and goes idle; sysmon, which wakes one for waiting work
// every millisecond, lets it try again. (Dice, "Malthusian Locks", 2017, does so inside one lock.)
// The same where no lock is fought over, but goroutines follow one another more slowly with it than without: pace.hpp.
#pragma once
#include <algorithm>
#include <cstdint>

#include "sched/pace.hpp"

namespace runnel::detail {

/// The processor has just begun to run: what was before does not count.
inline void begin_judging(processor& p) noexcept {
  p.lock_wait_seen = *p.lock_wait;
  p.judged_at = cpu_ticks();
  p.picks_seen = count_picks();
  p.own_picks_seen = p.tick.load(std::memory_order_relaxed);
}

/// It has waited long enough for locks since it was last judged to be judged again. Cheap, for every pick.
inline bool to_be_judged(const processor& p) noexcept {
  return *p.lock_wait - p.lock_wait_seen >= 10 * ticks_per_us();
}

/// The same, or it is time to compare the pace.
inline bool may_be_judged(const processor& p) noexcept {
  return to_be_judged(p) || (sched.pace_before.load(std::memory_order_relaxed) != 0 &&
                             cpu_ticks() - p.judged_at >= 50 * ticks_per_us());
}

/// Goroutines follow one another more slowly than before the last processor joined, and their slices are so short all the
/// same that handing over must be most of what they do.
inline bool slower_together() noexcept {
  const std::uint64_t pace = current_pace();
  const auto active = static_cast<std::uint64_t>(std::max(sched.active.load(), 1));
  return compare_pace(pace) == pace_change::slower && pace * active < ticks_per_us();
}

/// Judges: true where more than a quarter of the time went to waiting, or all are slower together. The others must have
/// got on meanwhile: a plain thread that holds the locks cannot run our goroutines, nor can a processor that computes.
inline bool contended(processor& p) noexcept {
  const std::uint64_t waited = *p.lock_wait - p.lock_wait_seen;
  const std::uint64_t lasted = cpu_ticks() - p.judged_at;
  const std::uint32_t ours = p.tick.load(std::memory_order_relaxed) - p.own_picks_seen;
  const std::uint32_t others = count_picks() - p.picks_seen - ours;
  begin_judging(p);
  return (waited > lasted / 4 && others > ours / 2) || (others > ours / 8 && slower_together());
}

}  // namespace runnel::detail
