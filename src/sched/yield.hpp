#pragma once

namespace runnel::detail {

/// Lets others run; on a plain thread, gives up the rest of the thread's slice.
void yield_goroutine() noexcept;

}  // namespace runnel::detail
