// Guards below stacks: the cheap kind of Linux 6.13 (no mapping of its own), or a protected mapping while the limit
// of mappings lasts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace runnel::detail {

/// Makes [low, low + bytes) fault on access. 0, or an errno value (ENOMEM: the mapping budget is used up).
int install_guard(std::byte* low, std::size_t bytes) noexcept;

struct new_stack {
  std::byte* guard;
  std::byte* first_touched;
};
inline constexpr std::uint32_t most_new_stacks = 16;

/// Whether install_guards() can be of use here.
bool many_guards_at_once() noexcept;
/// Does that for up to most_new_stacks together, and has the kernel find memory for the page of each that will be touched
/// first, for less than one call and one page fault for each. False: not here; there may be some of the guards or none.
bool install_guards(std::span<const new_stack> stacks, std::size_t bytes) noexcept;

}  // namespace runnel::detail
