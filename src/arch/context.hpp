// The context switch. An architecture is a folder with the same file names as the others; it supplies
//   runnel_switch        save the callee-saved state, change stacks, restore
//   runnel_start         first instructions of a new context: calls entry(arg, self); the backtrace ends there
//   runnel_walk          run a function as if the suspended context had called it (for stack dumps)
//   prepare_context()    lay out a new stack so that runnel_switch can enter it
// Saved: the callee-saved integer registers and the floating-point control words (MXCSR and x87, or FPCR and d8-d15).
// Not saved: caller-saved registers, the signal mask, errno, thread-locals, exception state (the scheduler does the
// last).
#pragma once
#include <cstddef>

extern "C" {
/// Saves the running context into *save_sp and continues the one at `to_sp`, whose runnel_switch call returns `arg`
/// (a new context gets it as the first argument of its entry function).
void* runnel_switch(void** save_sp, void* to_sp, void* arg) noexcept;

/// Calls fn(arg) on the stack of the suspended context `sp`, below its frames, with unwind information that leads
/// into them; then comes back. The context itself is left as it was.
void runnel_walk(void* sp, void (*fn)(void*), void* arg) noexcept;
}

namespace runnel::detail {

using context_entry = void (*)(void* switch_arg, void* self);

/// Builds the first context below `stack_top` (16-byte aligned); returns its stack pointer.
void* prepare_context(void* stack_top, context_entry entry, void* self) noexcept;

}  // namespace runnel::detail
