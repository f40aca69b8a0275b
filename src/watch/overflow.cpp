#include "watch/overflow.hpp"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "base/output.hpp"
#include "sched/thread_agent.hpp"
#include "watch/report.hpp"

namespace runnel::detail {
namespace {

struct sigaction before_segv;
struct sigaction before_bus;
constinit std::atomic<pid_t> reporter{0};

std::uintptr_t fault_pc(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#else
  return static_cast<std::uintptr_t>(machine.pc);
#endif
}

// Overflowed inside libc, perhaps inside malloc with its lock held: then the report must do without
// malloc.
bool in_libc(const walked_stack& stack) noexcept {
  constexpr std::uint32_t near = 8;
  Dl_info libc{};
  if (dladdr(reinterpret_cast<void*>(&std::malloc), &libc) == 0) return true;
  for (std::uint32_t i = 0; i < stack.kept() && i < near; ++i) {
    Dl_info frame{};
    if (dladdr(reinterpret_cast<void*>(stack.at(i)), &frame) == 0 ||
        frame.dli_fbase == libc.dli_fbase)
      return true;
  }
  return false;
}

[[noreturn]] void report(goroutine& g, std::uintptr_t pc) noexcept {
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  pid_t nobody = 0;
  if (!reporter.compare_exchange_strong(nobody, self))
    for (;;) pause();          // another thread's report ends the process
  static goroutine_view view;  // the signal stack is small
  look_at_self(g, view);
  const auto size = static_cast<std::uint64_t>(g.stack_bytes());
  write_stderr("fatal error: stack overflow\n\n");
  {
    stderr_out head(false);
    write_header(head, view);
    head.write("\tstack size ");
    head.write_number(size);
    head.write(" bytes\n");
  }
  walk_own_stack(view.stack, pc);
  stderr_out out(RUNNEL_TSAN == 0 && !in_libc(view.stack));  // TSan reports malloc in a handler
  write_stack(out, view.stack);
  write_created_by(out, view);
  out.flush();
  end_process(2);
}

// What a fault that is none of ours would have done without us.
void chain(const struct sigaction& before, int number, siginfo_t* info, void* context) noexcept {
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(number, info, context);
    return;
  }
  const bool sent = info->si_code <= 0;  // by kill and the like, not by an instruction
  if (before.sa_handler == SIG_IGN && sent) return;
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(number);
    return;
  }
  std::signal(number, SIG_DFL);
  if (sent) raise(number);  // otherwise the instruction faults again
}

void on_fault(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  if (reporter.load() == self) end_process(2);  // the report itself ran into something
  if (goroutine* g = this_goroutine_or_null(); g != nullptr && info->si_code > 0) {
    const auto* at = static_cast<const std::byte*>(info->si_addr);
    if (at >= g->low - guard_bytes && at < g->low) report(*g, fault_pc(context));
  }
  chain(number == SIGSEGV ? before_segv : before_bus, number, info, context);
  errno = saved;
}

}  // namespace

void install_overflow_handler() noexcept {
  struct sigaction ours {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGSEGV, &ours, &before_segv);
  sigaction(SIGBUS, &ours, &before_bus);
}

}  // namespace runnel::detail
