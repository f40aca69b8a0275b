#include "sched/signal_stack.hpp"

#include <sys/mman.h>
#include <csignal>

namespace runnel::detail {
namespace {

constexpr std::size_t signal_stack_bytes = 256 * 1024;  // a report demangles names on it

}  // namespace

void install_signal_stack() noexcept {
  stack_t old{};
  sigaltstack(nullptr, &old);
  if ((old.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer has set one
  void* memory = mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t fresh{};
  fresh.ss_sp = memory;
  fresh.ss_size = signal_stack_bytes;
  sigaltstack(&fresh, nullptr);
}

void remove_signal_stack() noexcept {
  stack_t old{};
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  if (sigaltstack(&none, &old) == 0 && (old.ss_flags & SS_DISABLE) == 0 &&
      old.ss_size == signal_stack_bytes)
    munmap(old.ss_sp, signal_stack_bytes);
}

}  // namespace runnel::detail
