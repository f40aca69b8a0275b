// How long threads wait for the small locks.
#pragma once
#include <cstdint>

namespace runnel::detail {

/// The time, in cpu_ticks(), that the calling thread has spent waiting for spinlocks that another one held. The address
/// stays the same for the thread's life.
const std::uint64_t* own_lock_wait() noexcept;

}  // namespace runnel::detail
