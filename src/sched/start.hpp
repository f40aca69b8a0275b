// The runtime above, as far as the scheduler has to call it.
#pragma once

namespace runnel::detail {

struct goroutine;

/// Starts the runtime if it does not run yet. As the other, in the child of a fork it ends the process with a message.
/// Defined in src/runtime.
void ensure_started() noexcept;
void end_if_forked() noexcept;

/// A goroutine that ends while it is locked to its thread takes the thread along.
[[noreturn]] void end_locked_goroutine(goroutine& g) noexcept;

}  // namespace runnel::detail
