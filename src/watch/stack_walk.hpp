// The addresses on a stack.
#pragma once
#include <cstdint>

#include "sched/goroutine.hpp"

// Dumps look at other goroutines' control blocks and stacks: sanitizers cannot know that they hold
// still.
#define RUNNEL_UNCHECKED \
  RUNNEL_OPAQUE __attribute__((no_sanitize("thread"), no_sanitize("address")))

namespace runnel::detail {

/// The innermost and the outermost frames of a stack; where there are more, how many were left out
/// between them. Each address lies within the instruction that made the call.
struct walked_stack {
  static constexpr std::uint32_t inner_room = 50;
  static constexpr std::uint32_t outer_room = 10;
  static constexpr std::uint32_t most = 1'000'000;

  std::uintptr_t inner[inner_room];
  std::uintptr_t outer
      [outer_room];  // a ring: the frame numbered i >= inner_room is at (i - inner_room) % outer_room
  std::uint32_t count = 0;  // frames seen

  void add(std::uintptr_t pc) noexcept;
  std::uint32_t kept() const noexcept;      // how many at() has
  std::uint32_t left_out() const noexcept;  // how many are missing after the first inner_room
  std::uintptr_t at(std::uint32_t i) const noexcept;
};

/// The caller's own stack. `from`: frames above the one with exactly this address are left out (0:
/// none are).
void walk_own_stack(walked_stack& into, std::uintptr_t from = 0) noexcept;

/// The stack of a parked goroutine that the caller has claimed. Nothing where its stack has too
/// little room left.
void walk_parked_stack(goroutine& g, walked_stack& into) noexcept;

}  // namespace runnel::detail
