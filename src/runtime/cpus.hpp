#pragma once

namespace runnel::detail {

/// The processors this process may use: its affinity mask, limited by the cgroup's CPU quota (rounded up, at least 2
/// where the mask allows).
int usable_cpus() noexcept;

}  // namespace runnel::detail
