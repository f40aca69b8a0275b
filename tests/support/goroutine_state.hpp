// Waiting until goroutines are blocked where a test wants them: by what the runtime itself says about them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>

#include <runnel/go.hpp>

#include "matrix.hpp"

namespace runnel_test {

/// How many goroutines are in `state` (the words of a dump, such as "sync.Mutex.Lock").
inline std::size_t count_in_state(std::string_view state) {
  const auto all = runnel::goroutines();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const auto& g) { return g.state == state; }));
}

/// Waits until at least `n` goroutines are in `state`.
inline bool until_blocked(std::string_view state, std::size_t n = 1) {
  return eventually([&] { return count_in_state(state) >= n; });
}

/// Waits until the goroutine called `name` is in `state`.
inline bool until_blocked_named(std::string_view name, std::string_view state) {
  return eventually([&] {
    const auto all = runnel::goroutines();
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& g) { return g.name == name && g.state == state; });
  });
}

}  // namespace runnel_test
