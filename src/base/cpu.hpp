// Small facts about the processor.
#pragma once

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

}  // namespace runnel::detail
