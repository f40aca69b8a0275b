// The beginning and the end of a goroutine.
#pragma once
#include "arch/context.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

context_entry goroutine_entry() noexcept;

/// Last act of a goroutine on its own stack.
[[noreturn]] void end_goroutine(goroutine& g) noexcept;

/// Puts the stack and the seed of an ended goroutine, which nobody runs on any more, back. `p`: the current processor,
/// or null.
void free_goroutine(processor* p, goroutine& g) noexcept;

/// Gives a seed its stack.
goroutine& begin_goroutine(processor& p, seed& s) noexcept;
/// What was taken from a run queue, as a goroutine.
inline goroutine& begun(processor& p, runnable& r) noexcept {
  return r.begun ? static_cast<goroutine&>(r) : begin_goroutine(p, static_cast<seed&>(r));
}

/// What goroutines get that ask for no size, in bytes. Throws std::system_error for what nobody can have.
void set_default_stack_size(std::size_t bytes);

}  // namespace runnel::detail
