#include "stack/guard.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "base/env.hpp"
#include "base/valgrind.hpp"
#include "stack/stack.hpp"

namespace runnel::detail {
namespace {

// Newer than most headers.
constexpr int madv_guard_install = 102;    // MADV_GUARD_INSTALL, Linux 6.13
constexpr int madv_populate_write = 23;    // MADV_POPULATE_WRITE, Linux 5.14
constexpr long sys_process_madvise = 440;  // SYS_process_madvise
constexpr int pidfd_self = -10001;         // PIDFD_SELF_THREAD_GROUP, as numbered in Linux 6.18
constexpr long mappings_left_to_others = 8192;

std::atomic<bool> only_mprotect{false};
std::atomic<long> mappings_used{0};

std::size_t page_size() noexcept { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

// Emulators and sandboxes accept advice that they do not know: so the page is tried out, by a
// system call that writes to it (valgrind would read the path of access() itself, and fall over).
template <class Install>
bool makes_guards(Install install) noexcept {
  const std::size_t page = page_size();
  void* probe = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) return false;
  const bool does =
      install(iovec{probe, page}) && syscall(SYS_times, probe) == -1 && errno == EFAULT;
  munmap(probe, page);
  return does;
}

bool advise(const iovec& range, int advice) noexcept {
  return madvise(range.iov_base, range.iov_len, advice) == 0;
}

// By the number that stands for the calling process, which a child has of itself after fork().
bool advise_all(std::span<const iovec> ranges, int advice) noexcept {
  std::size_t bytes = 0;
  for (const iovec& r : ranges) bytes += r.iov_len;
  const long done =
      syscall(sys_process_madvise, pidfd_self, ranges.data(), ranges.size(), advice, 0);
  return done >= 0 && static_cast<std::size_t>(done) == bytes;
}

// valgrind does not know the call, and says so.
bool kernel_advises_many() noexcept {
  if (runs_under_valgrind()) return false;
  return makes_guards(
      [](const iovec& page) { return advise_all(std::span(&page, 1), madv_guard_install); });
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
  const bool has_guards = !only_mprotect && makes_guards([](const iovec& page) {
    return advise(page, madv_guard_install);
  });
  return has_guards ? guard_kind::guard_install : guard_kind::mprotect;
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
      return advise({low, bytes}, madv_guard_install) ? 0 : errno;
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

bool many_guards_at_once() noexcept {
  static const bool possible = guards() == guard_kind::guard_install && kernel_advises_many();
  return possible;
}

bool install_guards(std::span<const new_stack> stacks, std::size_t bytes) noexcept {
  if (!many_guards_at_once()) return false;
  static const std::size_t page = page_size();
  std::array<iovec, most_new_stacks> guarded;
  std::array<iovec, most_new_stacks> touched;
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    std::byte* const first = stacks[i].first_touched;
    guarded[i] = {stacks[i].guard, bytes};
    touched[i] = {first - reinterpret_cast<std::uintptr_t>(first) % page, page};
  }
  if (!advise_all(std::span(guarded).first(stacks.size()), madv_guard_install)) return false;
  advise_all(std::span(touched).first(stacks.size()), madv_populate_write);  // or else by faults
  return true;
}

}  // namespace runnel::detail
