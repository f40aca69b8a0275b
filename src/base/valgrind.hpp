// What valgrind is asked or told, where its header is there when the library is built. Without it, nothing runs under
// valgrind.
#pragma once

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace runnel::detail {

inline bool runs_under_valgrind() noexcept {
#if defined(RUNNING_ON_VALGRIND)
  return RUNNING_ON_VALGRIND != 0;
#else
  return false;
#endif
}

/// So that it can tell a change of stacks from a large frame.
inline void tell_valgrind_of_stack([[maybe_unused]] void* low,
                                   [[maybe_unused]] void* high) noexcept {
#if defined(VALGRIND_STACK_REGISTER)
  VALGRIND_STACK_REGISTER(low, high);
#endif
}

}  // namespace runnel::detail
