// A goroutine that runs out of stack ends the process, with a report.
#pragma once

namespace runnel::detail {

/// Handles SIGSEGV and SIGBUS; what is no stack overflow goes to the handlers that were there
/// before.
void install_overflow_handler() noexcept;

}  // namespace runnel::detail
