// An exception that leaves a goroutine ends the process, with a report.
#pragma once

namespace runnel::detail {

/// Puts itself before whatever std::terminate handler there is.
void install_panic_handler() noexcept;

/// Another goroutine than the calling one is ending the process: the caller must not do so cleanly.
bool panicking() noexcept;

/// Returns at once unless panicking(), and then only if the report does not end the process within its time.
void wait_while_panicking() noexcept;

}  // namespace runnel::detail
