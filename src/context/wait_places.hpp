// Where goroutines wait for the end of a context.
//
// One context is often common to all goroutines of a program, and each of their waits enters it and leaves it again.
// So once those of several processors have entered in turns, each processor has a place of its own, with a lock and on a
// cache line of its own. Whoever ends the context empties all of them.
//
// Nobody is missed: who ends the context marks it done and then looks for places; who waits chooses a place, which may
// mean to make them, and then, with its lock, looks whether the context is done. All of these are seq_cst.
#pragma once
#include <atomic>
#include <cstdint>

#include <runnel/detail/context_node.hpp>
#include <runnel/detail/park.hpp>

#include "base/cpu.hpp"

namespace runnel::detail {

struct processor;

class wait_places {
 public:
  wait_places() noexcept = default;
  ~wait_places();

  /// For who is going to wait. Without a lock.
  wait_place& choose() noexcept;
  /// With the lock of `at`.
  void enter(wait_place& at, waiter& w) noexcept;
  /// All who wait, claimed and linked by `next`.
  waiter* take_all() noexcept;

 private:
  static constexpr std::uint32_t spread_count = 16;
  static constexpr std::uint32_t most_turns = 32;
  struct alignas(cache_line) spread_place : wait_place {};

  void spread() noexcept;

  wait_place home_;
  const processor* last_ = nullptr;   // guarded by home_.mu; who entered last
  std::uint32_t turns_ = 0;           // guarded by home_.mu; how often that was another than before
  std::atomic<bool> crowded_{false};  // more often than most_turns
  std::atomic<spread_place*> spread_{nullptr};  // spread_count of them, owned; set once
};

}  // namespace runnel::detail
