// The compiled half of the parallel loops: who works on which part of a range of numbers.
#pragma once
#include <atomic>
#include <cstddef>
#include <exception>
#include <utility>

#include <runnel/context.hpp>
#include <runnel/error.hpp>

namespace runnel::detail {

/// The numbers [first, last) of a loop, as one party has claimed them.
struct loop_part {
  std::size_t first;
  std::size_t last;
  bool cheap;  // what this party did last took only some nanoseconds an element
  const std::atomic<bool>& failed;

  loop_part between(std::size_t from, std::size_t to) const noexcept {
    return {from, to, cheap, failed};
  }
  // relaxed: nothing is read on the strength of it
  bool goes_on() const noexcept { return !failed.load(std::memory_order_relaxed); }

  /// Calls visit(first, last) for stretches of the part, in order, until one says false or the loop has failed. True:
  /// it got to the end. Elements are visited one at a time, so that none is begun after a failure. Only for cheap ones
  /// a look before each would take longer than they do: a stretch is then a number that the compiler sees and can
  /// vectorise for, and done sooner than an exception is caught.
  template <class Visit>
  bool walk(Visit visit) const {
    constexpr std::size_t stretch = 32;
    std::size_t at = first;
    if (cheap) {
      for (; last - at >= stretch; at += stretch) {
        if (!goes_on() || !visit(at, at + stretch)) return false;
      }
    }
    for (; at != last; ++at) {
      if (!goes_on() || !visit(at, at + 1)) return false;
    }
    return true;
  }
};

/// What a loop does with the numbers of a part, in order. An error or an exception ends the loop.
struct parallel_body {
  error (*run)(void* self, const loop_part& part);
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
/// the first failure no part goes on, and `cancel`, unless it is null, is called with it.
parallel_failure run_parallel(std::size_t n, std::size_t parties, parallel_body body,
                              const cancel_function* cancel);

}  // namespace runnel::detail
