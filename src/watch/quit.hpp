// SIGQUIT (ctrl-\) shows all goroutines and ends the process, as in Go.
#pragma once

namespace runnel::detail {

/// Only where the program has not set SIGQUIT to anything else.
void install_quit_handler() noexcept;

}  // namespace runnel::detail
