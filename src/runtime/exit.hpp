// The end of the process, as far as it concerns goroutines.
#pragma once

namespace runnel::detail {

/// Registered with atexit when the runtime starts: waits a bounded time for running goroutines to reach a scheduling
/// point and parks the processors, so that statics are destroyed with nobody using them.
void stop_at_exit();

}  // namespace runnel::detail
