// The environment variables, read once. A value that cannot be read ends the program.
#pragma once
#include <cstddef>

namespace runnel::detail {

enum class env_choice { unset, on, off, terminate, ignore, report };

struct environment {
  int max_procs = 0;           // 0: not set
  std::size_t stack_size = 0;  // bytes; 0: not set
  env_choice stack_guard = env_choice::unset;
  env_choice deadlock = env_choice::unset;
  env_choice leaks = env_choice::unset;
};

/// The variables as they were when first asked for.
const environment& env() noexcept;

}  // namespace runnel::detail
