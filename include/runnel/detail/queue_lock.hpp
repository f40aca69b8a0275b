// The lock of a wait queue, kept away from the object that is waited for.
#pragma once
#include <runnel/detail/spinlock.hpp>

namespace runnel::detail {

/// The lock of the wait queue of the object at `address`, from a table that is never destroyed; several objects may
/// share one.
///
/// Objects with a fast path that takes no lock need it: whoever gets through by the fast path may destroy the object
/// while the one who let him through still has to unlock.
spinlock& queue_lock(const void* address) noexcept;

}  // namespace runnel::detail
