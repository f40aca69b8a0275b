// The alternate signal stack of a runtime thread: what a stack overflow is reported from.
#pragma once

namespace runnel::detail {

void install_signal_stack() noexcept;
void remove_signal_stack() noexcept;

}  // namespace runnel::detail
