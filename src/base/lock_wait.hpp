// How long threads wait for the small locks.
#pragma once
#include <cstdint>

namespace runnel::detail {

/// The time, in cpu_ticks(), that the calling thread has spent waiting for spinlocks that another one held, and what was
/// noted besides. The address stays the same for the thread's life.
const std::uint64_t* own_lock_wait() noexcept;

/// The calling thread has waited for a lock of another kind, from `began`, in cpu_ticks(), until now.
void note_lock_wait(std::uint64_t began) noexcept;

}  // namespace runnel::detail
