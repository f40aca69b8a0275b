#include "watch/quit.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <runnel/detail/config.hpp>

#include "base/futex.hpp"
#include "base/output.hpp"
#include "sched/scheduler.hpp"
#include "watch/dump.hpp"
#include "watch/stack_walk.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t stack_bytes = 512 * 1024;

constinit std::atomic<std::uint32_t> asked{0};
pid_t owner = 0;

// In the child of a fork the thread that would report does not exist: there the signal does what it
// does by default. Sanitizers must not be called from here.
RUNNEL_UNCHECKED void on_quit(int number) {
  const int saved = errno;
  if (getpid() == owner) {
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(&asked), 1, __ATOMIC_SEQ_CST);
    futex_wake(&asked);
  } else {
    std::signal(number, SIG_DFL);
    raise(number);
  }
  errno = saved;
}

void* wait_and_report(void*) {
  while (asked.load() == 0) futex_wait(asked, 0, never);
  write_stderr("SIGQUIT: quit\n\n");
  print_goroutines();
  end_process(2);
}

#if RUNNEL_TSAN
// TSan holds signals back until the thread makes a call that it knows, and our sleeping threads
// make none. So the kernel is given the handler behind its back, with what else libc has set.
void deliver_at_once() noexcept {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
  } action{};
  if (syscall(SYS_rt_sigaction, SIGQUIT, nullptr, &action, sizeof action.mask) != 0) return;
  action.handler = on_quit;
  action.flags &= ~static_cast<unsigned long>(SA_SIGINFO);
  syscall(SYS_rt_sigaction, SIGQUIT, &action, nullptr, sizeof action.mask);
}
#else
void deliver_at_once() noexcept {}
#endif

// A handler can do little, hence a thread; it takes no signals itself.
bool start_reporter() noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = start_runtime_thread(wait_and_report, nullptr, stack_bytes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace

void install_quit_handler() noexcept {
  struct sigaction now {};
  if (sigaction(SIGQUIT, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) return;
  owner = getpid();
  if (!start_reporter()) return;
  struct sigaction ours {};
  ours.sa_handler = on_quit;
  ours.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGQUIT, &ours, nullptr);
  deliver_at_once();
}

}  // namespace runnel::detail
