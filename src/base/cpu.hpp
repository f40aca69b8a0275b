// Small facts about the processor.
#pragma once
#include <cstdint>

namespace runnel::detail {

inline constexpr unsigned cache_line = 64;

inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Roughly how many cpu_pause() make a microsecond, within a factor of a few.
inline constexpr int pauses_per_us = 40;

/// A counter that goes on at a steady pace, far cheaper to read than a clock.
inline std::uint64_t cpu_ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#endif
}

/// Roughly how many of those make a microsecond, within a factor of two.
inline std::uint64_t ticks_per_us() noexcept {
#if defined(__x86_64__)
  return 2'500;
#elif defined(__aarch64__)
  std::uint64_t hz;
  asm("mrs %0, cntfrq_el0" : "=r"(hz));
  return hz / 1'000'000 + 1;
#endif
}

/// How many CPUs the calling thread may run on.
int allowed_cpus() noexcept;
/// Whether that was more than one when it was first asked: who waits for another one may spin.
bool several_cpus() noexcept;

/// Looks again and again, for so many microseconds, whether done(). But once where nothing can change meanwhile, because
/// there is no other CPU.
template <class F>
bool spin_until(F&& done, std::uint64_t longest_us) noexcept {
  if (!several_cpus()) return done();
  const std::uint64_t began = cpu_ticks();
  do {
    if (done()) return true;
    for (int i = 0; i < 8; ++i) cpu_pause();
  } while (cpu_ticks() - began < longest_us * ticks_per_us());
  return false;
}

/// Longer than another core takes to wake up.
inline constexpr std::uint64_t wake_up_us = 50;

}  // namespace runnel::detail
