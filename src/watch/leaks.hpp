// Goroutines that outlive the run under which they were started.
#pragma once
#include <cstdint>

#include <runnel/go.hpp>

namespace runnel::detail {

/// Called when a run returns. Unless `action` is ignore, goroutines of that run that are about to
/// end get a tenth of a second to do so; what is left then is reported.
void finish_run(std::uint64_t run_id, leak_action action);

}  // namespace runnel::detail
