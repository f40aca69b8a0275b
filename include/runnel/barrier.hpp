// barrier: a number of goroutines meet, again and again, as std::barrier.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>

namespace runnel {

namespace detail {

struct no_completion {
  void operator()() const noexcept {}
};

/// The part of a barrier that does not depend on its completion function.
class barrier_core {
 public:
  /// Throws std::invalid_argument if `expected` is negative or larger than `max`.
  barrier_core(std::ptrdiff_t expected, std::ptrdiff_t max);

  /// `n` have arrived. True: they were the last; the caller runs the completion and calls next_phase(). The phase they
  /// arrived in goes into `phase`. Throws std::logic_error if more arrive than were expected.
  bool arrive(std::ptrdiff_t n, std::uint64_t& phase);
  /// One fewer is expected from the next phase on.
  void drop();
  void next_phase() noexcept;
  void wait(std::uint64_t phase);

 private:
  spinlock lock_;
  std::uint64_t phase_ = 0;  // this and all below: guarded by lock_
  std::ptrdiff_t expected_;
  std::ptrdiff_t missing_;
  wait_queue waiters_;
};

}  // namespace detail

/// Lets nobody through until all that are expected have arrived; then calls the completion function and starts again.
///
/// `CompletionFunction` must not throw; the last to arrive in a phase calls it before anybody is let through. Who is
/// let through sees what all have done before they arrived. May be destroyed once all waits have returned.
template <class CompletionFunction = detail::no_completion>
class barrier {
  static_assert(std::is_nothrow_invocable_v<CompletionFunction&>,
                "the completion function of a barrier must be noexcept");

 public:
  /// The phase somebody has arrived in, to be waited for.
  class arrival_token {
   public:
    arrival_token(arrival_token&&) noexcept = default;
    arrival_token& operator=(arrival_token&&) noexcept = default;

   private:
    friend class barrier;
    explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}

    std::uint64_t phase_;
  };

  /// `expected` have to arrive in each phase. Throws std::invalid_argument if that is negative or larger than max().
  explicit barrier(std::ptrdiff_t expected, CompletionFunction completion = CompletionFunction())
      : core_(expected, max()), completion_(std::move(completion)) {}
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }

  /// Counts `n` arrivals; does not block. Throws std::logic_error if more arrive than are still expected,
  /// std::invalid_argument if `n` is not positive.
  [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) {
    std::uint64_t phase = 0;
    if (core_.arrive(n, phase)) finish_phase();
    return arrival_token(phase);
  }

  /// Blocks until the phase of `token` has ended.
  void wait(arrival_token&& token) const { core_.wait(token.phase_); }

  /// wait(arrive()).
  void arrive_and_wait() { wait(arrive()); }

  /// Arrives for this phase, and is not expected in the ones that follow.
  void arrive_and_drop() {
    core_.drop();
    (void)arrive();
  }

 private:
  // Nobody else can arrive meanwhile, so no lock is held.
  void finish_phase() {
    completion_();
    core_.next_phase();
  }

  mutable detail::barrier_core core_;
  [[no_unique_address]] CompletionFunction completion_;
};

}  // namespace runnel
