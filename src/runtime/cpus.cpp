#include "runtime/cpus.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "base/cpu.hpp"

namespace runnel::detail {
namespace {

constexpr double no_quota = std::numeric_limits<double>::infinity();

double quota_v2(const std::string& dir) {
  std::ifstream f(dir + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(f >> quota >> period) || quota == "max" || period <= 0) return no_quota;
  return std::stod(quota) / period;
}

double quota_v1(const std::string& dir) {
  double quota = 0;
  double period = 0;
  std::ifstream q(dir + "/cpu.cfs_quota_us");
  std::ifstream p(dir + "/cpu.cfs_period_us");
  if (!(q >> quota) || !(p >> period) || quota <= 0 || period <= 0) return no_quota;
  return quota / period;
}

// The least of the quotas from this process's group up to the root.
template <class Read>
double least_quota(const std::string& mount, std::string group, Read read) {
  double least = no_quota;
  for (;;) {
    least = std::min(least, read(mount + group));
    if (group.empty() || group == "/") return least;
    group.resize(group.rfind('/'));
  }
}

}  // namespace

double cgroup_quota(const std::string& groups, const std::string& mount) {
  std::ifstream listed(groups);
  std::string line;
  double least = no_quota;
  while (std::getline(listed, line)) {  // HIERARCHY:CONTROLLERS:PATH
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty())
      least = std::min(least, least_quota(mount, path, quota_v2));
    else if (("," + controllers + ",").find(",cpu,") != std::string::npos)
      least = std::min(least, least_quota(mount + "/" + controllers, path, quota_v1));
  }
  return least;
}

int cpus_within(double quota, int allowed) noexcept {
  if (quota >= allowed) return allowed;
  return std::min(allowed, std::max(2, static_cast<int>(std::ceil(quota))));
}

int usable_cpus() noexcept {
  const int mask = allowed_cpus();
  try {
    return cpus_within(cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup"), mask);
  } catch (...) {  // an unreadable file is no quota
    return mask;
  }
}

}  // namespace runnel::detail
