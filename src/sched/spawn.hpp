// The beginning and the end of a goroutine.
#pragma once
#include "arch/context.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

context_entry goroutine_entry() noexcept;

/// Last act of a goroutine on its own stack.
[[noreturn]] void end_goroutine(goroutine& g) noexcept;

/// Puts the stack of an ended goroutine, which nobody runs on any more, back.
void free_goroutine(processor& p, goroutine& g) noexcept;
/// Puts a stack back on which no goroutine was started. `p`: the current processor or null.
void free_goroutine_stack(processor* p, goroutine& g) noexcept;

/// The default reservation of new goroutines, in bytes.
extern std::atomic<std::size_t> default_stack_size;

}  // namespace runnel::detail
