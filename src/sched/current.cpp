// The thread-locals that say who is calling, reached only through these accessors: a goroutine may resume on another thread,
// and compilers keep addresses of thread-locals across calls. Hence out of line, opaque, in one file.
#include "sched/processor.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

thread_local constinit processor* current = nullptr;
thread_local constinit thread_agent current_thread;

}  // namespace

RUNNEL_OPAQUE processor* current_processor() noexcept {
  asm volatile("" ::: "memory");
  return current;
}

RUNNEL_OPAQUE void set_current_processor(processor* p) noexcept {
  asm volatile("" ::: "memory");
  current = p;
}

RUNNEL_OPAQUE thread_agent* this_thread() noexcept {
  asm volatile("" ::: "memory");
  return &current_thread;
}

RUNNEL_OPAQUE agent* this_agent() noexcept {
  asm volatile("" ::: "memory");
  if (current != nullptr && current->current != nullptr) return current->current;
  return &current_thread;
}

}  // namespace runnel::detail
