// Small shared steps of parking that the deadlock report depends on.
#pragma once
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// A plain thread is about to sleep without a timeout: it can wake nobody any more, so the deadlock report has to
/// look again.
inline void thread_parks() noexcept {
  sched.parked_threads.fetch_add(1);
  sched.park_count.fetch_add(1);
  if (sched.wake_monitor != nullptr) sched.wake_monitor();
}

}  // namespace runnel::detail
