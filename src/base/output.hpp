// Writing to standard error when the process is about to die: no allocation, no locks, no buffering.
#pragma once
#include <cstdint>
#include <string_view>

namespace runnel::detail {

void write_stderr(std::string_view text) noexcept;
void write_stderr(std::uint64_t number) noexcept;

/// Ends the process at once with `status`: no exit handlers, no destructors.
[[noreturn]] void end_process(int status) noexcept;

}  // namespace runnel::detail
