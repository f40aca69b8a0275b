// When processors fight over locks more than they work, fewer of them get more done.
//
// Two cores that use one channel without doing much else spend their time on fetching its cache lines from each other:
// an item then costs ten times what it costs on one core. A processor that spends a good part of its time waiting for
// the small locks gives its goroutines to the others and goes idle; sysmon, which wakes one for waiting work every
// millisecond, lets it try again. (Dice, "Malthusian Locks", 2017, does so inside one lock.)
#pragma once
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// The processor has just begun to run: what was before does not count.
inline void begin_judging(processor& p) noexcept {
  p.lock_wait_seen = *p.lock_wait;
  p.judged_at = cpu_ticks();
}

/// It has waited long enough for locks since it was last judged to be judged again. Cheap, for every pick.
inline bool to_be_judged(const processor& p) noexcept {
  return *p.lock_wait - p.lock_wait_seen >= 10 * ticks_per_us();
}

/// Judges: true where more than a quarter of the time went to waiting.
inline bool contended(processor& p) noexcept {
  const std::uint64_t waited = *p.lock_wait - p.lock_wait_seen;
  const std::uint64_t lasted = cpu_ticks() - p.judged_at;
  begin_judging(p);
  return waited > lasted / 4;
}

}  // namespace runnel::detail
