// Steps that the primitives share.
#pragma once
#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// Waiters that were popped and claimed under a lock, to be made ready once it is free. The link is the waiter's own,
/// which nobody else touches any more.
class wake_list {
 public:
  void add(waiter& w) noexcept {
    w.next = nullptr;
    *tail_ = &w;
    tail_ = &w.next;
  }
  void add_all(wait_queue& queue) noexcept {
    while (waiter* w = queue.pop()) add(*w);
  }
  /// Calls `wake(waiter)`, after which the waiter may be gone, in the order of adding.
  template <class F>
  void for_each(F wake) noexcept {
    waiter* w = head_;
    while (w != nullptr) {
      waiter* const next = w->next;
      wake(*w);
      w = next;
    }
  }
  void ready_all() noexcept {
    for_each([](waiter& w) { ready(w.who); });
  }

 private:
  waiter* head_ = nullptr;
  waiter** tail_ = &head_;
};

/// ns: who has lost a mutex to newcomers for longer is handed it.
inline constexpr std::int64_t starvation = 1'000'000;

/// How a wait ended.
enum class wait_end : std::uint8_t { woken, timed_out, deadlocked };

/// Parks with `lock` held and `w`, which carries no claim yet, in a queue: adds the claim that a deadline needs.
[[nodiscard]] inline wait_end park_in(wait_reason reason, spinlock& lock, waiter& w,
                                      claim_word& claim, std::int64_t deadline) noexcept {
  if (deadline == never) {
    w.claim = nullptr;
    return park(reason, lock) ? wait_end::woken : wait_end::deadlocked;
  }
  claim.store(unclaimed, std::memory_order_relaxed);
  w.claim = &claim;
  if (!park_until(reason, lock, claim, deadline)) return wait_end::deadlocked;
  return claim.load() == claimed_by_timeout ? wait_end::timed_out : wait_end::woken;
}

}  // namespace runnel::detail
