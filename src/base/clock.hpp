// See clock.cpp.
#pragma once

namespace runnel::detail {

/// Finds out whether rough_now_ns() can use the processor's counter. Until then it is as now_ns().
void choose_clock() noexcept;

}  // namespace runnel::detail
