#include "base/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <ctime>

#include <runnel/detail/park.hpp>

namespace runnel::detail {

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline) noexcept {
  const int saved = errno;
  timespec ts{};
  timespec* timeout = nullptr;
  if (deadline != never) {
    const std::int64_t at = deadline > 0 ? deadline : 0;
    ts.tv_sec = at / 1'000'000'000;
    ts.tv_nsec = at % 1'000'000'000;
    timeout = &ts;
  }
  // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, timeout, nullptr,
          FUTEX_BITSET_MATCH_ANY);
  errno = saved;
}

void futex_wake(std::atomic<std::uint32_t>* word, int count) noexcept {
  const int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  errno = saved;
}

}  // namespace runnel::detail
