#include "signal/disposition.hpp"

#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

#include <runnel/detail/config.hpp>

namespace runnel::detail {

void saved_disposition::kernel_call(int number, const kernel_action* now,
                                    kernel_action* before) noexcept {
  syscall(SYS_rt_sigaction, number, now, before, sizeof now->mask);
}

// TSan holds signals back until the thread makes a call that it knows, and sleeping threads of the runtime make none.
// So the kernel is given the handler behind its back, with what else libc has set.
int saved_disposition::replace(int number, void (*handler)(int)) noexcept {
  if (RUNNEL_TSAN) kernel_call(number, nullptr, &kernel_before_);
  struct sigaction ours {};
  ours.sa_handler = handler;
  ours.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  if (sigaction(number, &ours, &before_) != 0) return errno;
  if (RUNNEL_TSAN) {
    kernel_action direct{};
    kernel_call(number, nullptr, &direct);
    direct.handler = handler;
    direct.flags &= ~static_cast<unsigned long>(SA_SIGINFO);
    kernel_call(number, &direct, nullptr);
  }
  return 0;
}

void saved_disposition::restore(int number) const noexcept {
  sigaction(number, &before_, nullptr);
  if (RUNNEL_TSAN) kernel_call(number, &kernel_before_, nullptr);
}

}  // namespace runnel::detail
