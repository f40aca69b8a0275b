#include "stack/guard.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/env.hpp"
#include "stack/stack.hpp"

namespace runnel::detail {
namespace {

constexpr int madv_guard_install = 102;  // MADV_GUARD_INSTALL, newer than most headers
constexpr long mappings_left_to_others = 8192;

std::atomic<bool> only_mprotect{false};
std::atomic<long> mappings_used{0};

// Emulators and sandboxes accept advice that they do not know: so the page is tried out, by a
// system call that writes to it (valgrind would read the path of access() itself, and fall over).
bool kernel_has_guards() noexcept {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* probe = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  const bool has = madvise(probe, page, madv_guard_install) == 0 &&
                   syscall(SYS_times, probe) == -1 && errno == EFAULT;
  munmap(probe, page);
  return has;
}

long mapping_budget() noexcept {
  long limit = 65530;
  if (std::FILE* f = std::fopen("/proc/sys/vm/max_map_count", "re")) {
    if (std::fscanf(f, "%ld", &limit) != 1) limit = 65530;
    std::fclose(f);
  }
  return limit > 2 * mappings_left_to_others ? limit - mappings_left_to_others : limit / 2;
}

guard_kind choose() noexcept {
  if (env().stack_guard == env_choice::off) return guard_kind::none;
  return !only_mprotect && kernel_has_guards() ? guard_kind::guard_install : guard_kind::mprotect;
}

}  // namespace

void use_mprotect_guards() noexcept { only_mprotect = true; }

guard_kind guards() noexcept {
  static const guard_kind kind = choose();
  return kind;
}

int install_guard(std::byte* low, std::size_t bytes) noexcept {
  switch (guards()) {
    case guard_kind::none:
      return 0;
    case guard_kind::guard_install:
      return madvise(low, bytes, madv_guard_install) == 0 ? 0 : errno;
    case guard_kind::mprotect:
      break;
  }
  static const long budget = mapping_budget();
  // Each guard splits a mapping in two and is one itself.
  if (mappings_used.fetch_add(2) + 2 > budget) {
    mappings_used.fetch_sub(2);
    return ENOMEM;
  }
  if (mprotect(low, bytes, PROT_NONE) == 0) return 0;
  mappings_used.fetch_sub(2);
  return errno;
}

}  // namespace runnel::detail
