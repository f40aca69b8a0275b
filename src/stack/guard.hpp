// Guards below stacks: the cheap kind of Linux 6.13 (no mapping of its own), or a protected mapping while the limit
// of mappings lasts.
#pragma once
#include <cstddef>

namespace runnel::detail {

/// Makes [low, low + bytes) fault on access. 0, or an errno value (ENOMEM: the mapping budget is used up).
int install_guard(std::byte* low, std::size_t bytes) noexcept;

}  // namespace runnel::detail
