// The compiled half of the parallel loops: who works on which part of a range of numbers.
#pragma once
#include <cstddef>
#include <exception>
#include <utility>

#include <runnel/context.hpp>
#include <runnel/error.hpp>

namespace runnel::detail {

/// What a loop does with the numbers of [first, last), in order. An error or an exception ends the loop.
struct parallel_body {
  error (*run)(void* self, std::size_t first, std::size_t last);
  void* self;
};

/// The first failure of a loop: what was thrown, or else what was returned.
struct parallel_failure {
  std::exception_ptr thrown{};
  error returned{};

  explicit operator bool() const noexcept { return thrown != nullptr || returned; }
  error as_error() const { return thrown != nullptr ? error(thrown) : returned; }
  void rethrow() const {
    if (thrown != nullptr) std::rethrow_exception(thrown);
    returned.rethrow();
  }
};

/// Runs `body` over [0, n) in the caller and up to `parties` - 1 goroutines; blocks until all calls have ended. After
/// the first failure no more parts are begun, and `cancel`, unless it is null, is called with it.
parallel_failure run_parallel(std::size_t n, std::size_t parties, parallel_body body,
                              const cancel_function* cancel);

}  // namespace runnel::detail
