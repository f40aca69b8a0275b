// Something of which each processor is to have one of its own, so that they do not fight over it.
#pragma once
#include <cstddef>

namespace runnel::detail {

/// What lies so far apart is on cache lines of its own.
inline constexpr std::size_t place_size = 64;

/// How many there should be: a power of two.
std::size_t place_count() noexcept;

/// Which of `count`, a power of two, is the caller's: by the processor that runs it, which may be another one soon, or
/// by the thread.
std::size_t own_place(std::size_t count) noexcept;

}  // namespace runnel::detail
