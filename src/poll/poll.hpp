// The poller as the scheduler's source of work.
#pragma once
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// The process's poller. It opens its descriptors at the first wait; until then nothing is pending.
poll_driver& poller() noexcept;

}  // namespace runnel::detail
