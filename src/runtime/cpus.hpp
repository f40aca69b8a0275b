#pragma once
#include <string>

namespace runnel::detail {

/// In CPUs, infinite without one: the least of the quotas of the groups that `groups`, as /proc/self/cgroup, names and of
/// those above them, which are directories under `mount`. Files that are not there are no quota. Throws for numbers that
/// are none.
double cgroup_quota(const std::string& groups, const std::string& mount);

/// Of `allowed` CPUs those that `quota` lets one use: rounded up, at least 2 where so many are allowed.
int cpus_within(double quota, int allowed) noexcept;

/// The processors this process may use: its affinity mask, limited by the cgroup's CPU quota (rounded up, at least 2
/// where the mask allows).
int usable_cpus() noexcept;

}  // namespace runnel::detail
