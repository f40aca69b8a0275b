// All goroutines, as text.
#pragma once
#include <cstdint>

#include <runnel/go.hpp>

#include "watch/look.hpp"

namespace runnel::detail {

/// To standard error, the calling one first, an empty line between them.
void print_goroutines() noexcept;
/// Only those started under this run.
void print_goroutines_of(std::uint64_t run_id) noexcept;

/// The view for users. `skip`: so many of the innermost frames are left out.
goroutine_info describe(const goroutine_view& view, std::uint32_t skip = 0);

}  // namespace runnel::detail
