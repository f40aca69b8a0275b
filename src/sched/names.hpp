// Goroutines' names, kept in their seeds. A goroutine changes its own at any time and frees it when it ends, while dumps
// read it: hence the locks, which are taken only where there is a name.
#pragma once
#include <cstddef>
#include <string_view>

#include "sched/seed.hpp"

namespace runnel::detail {

/// Gives `s` a copy of `name`; an empty one takes its name away. Throws std::bad_alloc.
void set_goroutine_name(seed& s, std::string_view name);
void free_goroutine_name(seed& s) noexcept;
inline void drop_goroutine_name(seed& s) noexcept {
  if (s.name.load(std::memory_order_relaxed) != nullptr) [[unlikely]]  // only its owner writes it
    free_goroutine_name(s);
}

/// Copies the name, cut to `room` - 1 bytes and ended by a zero; returns its whole length. `s` need
/// not be alive.
std::size_t copy_goroutine_name(seed& s, char* to, std::size_t room) noexcept;

}  // namespace runnel::detail
