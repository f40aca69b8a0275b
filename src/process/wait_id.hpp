// The kernel's waitid, which also tells what a process used; the C library's does not.
#pragma once
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

namespace runnel::detail {

inline constexpr int by_pid = P_PID;
inline constexpr int by_pidfd = 3;  // P_PIDFD, which C libraries before glibc 2.36 do not name

struct end_report {
  siginfo_t how{};  // si_pid is 0: not yet
  rusage used{};
};

/// An errno, or zero.
inline int ask_for_end(int id_type, int id, int options, end_report& report) noexcept {
  long done = 0;
  do {
    done = syscall(SYS_waitid, id_type, id, &report.how, WEXITED | options, &report.used);
  } while (done < 0 && errno == EINTR);
  return done < 0 ? errno : 0;
}

}  // namespace runnel::detail
