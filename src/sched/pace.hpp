// How quickly goroutines follow one another, now and before the last processor joined: what that one is worth.
//
// Two cores may get less done than one, where all that goroutines do is hand things to each other. Nothing but a
// comparison can tell: short slices alone may also be independent work, which two cores do in half the time. All here
// are guesses from values that are read and written one by one: a wrong one costs a millisecond, until sysmon looks.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/cpu.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// Picks of all processors so far, modulo 2^32.
inline std::uint32_t count_picks() noexcept {
  std::uint32_t sum = 0;
  const std::uint32_t n = sched.processors.load();
  for (std::uint32_t i = 0; i < n; ++i)
    if (const processor* p = sched.all[i].load(); p != nullptr)
      sum += p->tick.load(std::memory_order_relaxed);
  return sum;
}

/// In cpu_ticks() for each pick of any processor, at least 1, since as many are active as now; 0: that is too short a
/// time to tell.
inline std::uint64_t pace_at(std::uint64_t ticks, std::uint32_t picks_so_far) noexcept {
  const std::uint64_t lasted = ticks - sched.crew_since.load(std::memory_order_relaxed);
  const std::uint32_t picks = picks_so_far - sched.crew_picks.load(std::memory_order_relaxed);
  if (picks == 0 || lasted < 20 * ticks_per_us()) return 0;
  return std::max<std::uint64_t>(lasted / picks, 1);
}
inline std::uint64_t current_pace() noexcept { return pace_at(cpu_ticks(), count_picks()); }

/// A processor has become active, or is about to be idle. What was known of the pace before one joined stays for a while if
/// the time since the last change was too short: those who leave soon are those to compare.
inline void note_crew_change(bool joins) noexcept {
  const std::uint64_t now = cpu_ticks();
  const std::uint32_t picks = count_picks();
  const std::uint64_t pace = joins ? pace_at(now, picks) : 0;
  const bool old =
      now - sched.pace_known_at.load(std::memory_order_relaxed) > 2'000 * ticks_per_us();
  if (pace != 0 || old) {
    sched.pace_before.store(pace, std::memory_order_relaxed);
    sched.pace_known_at.store(now, std::memory_order_relaxed);
  }
  sched.crew_since.store(now, std::memory_order_relaxed);
  sched.crew_picks.store(picks, std::memory_order_relaxed);
}

enum class pace_change : std::uint8_t { unknown, slower, little, quicker };

/// What has become of the pace, which is `now`, since the last processor joined.
inline pace_change compare_pace(std::uint64_t now) noexcept {
  const std::uint64_t before = sched.pace_before.load(std::memory_order_relaxed);
  if (before == 0 || now == 0) return pace_change::unknown;
  if (now < before - before / 8) return pace_change::quicker;
  return now > before + before / 4 ? pace_change::slower : pace_change::little;
}

}  // namespace runnel::detail
