// What holds where the program does not say.
#pragma once
#include <cstddef>

#include "base/env.hpp"
#include "stack/stack.hpp"

namespace runnel::detail {

inline std::size_t stack_size_by_default() noexcept {
  const std::size_t wanted = env().stack_size;
  return wanted != 0 ? wanted : default_stack_bytes;
}

}  // namespace runnel::detail
