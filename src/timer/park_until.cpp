// Parking with a deadline.
#include "sched/start.hpp"
#include "sched/thread_agent.hpp"
#include "timer/timer.hpp"

namespace runnel::detail {
namespace {

struct timed_release {
  void (*release)(void*);
  void* arg;
  wait_node* node;
  std::int64_t deadline;
};

// Runs when the goroutine is off its stack: armed any sooner, the timer could make it ready while it still runs.
void arm_and_release(void* p) {
  const auto& wait = *static_cast<timed_release*>(p);
  const auto release = wait.release;
  void* const arg = wait.arg;
  // From here on the goroutine may wake and `wait` be gone, but it needs what release() gives free.
  arm(*wait.node, wait.deadline);
  release(arg);
}

void unlock(void* lock) { static_cast<spinlock*>(lock)->unlock(); }

void park_thread_until(claim_word& claim, std::int64_t deadline, wait_reason reason) noexcept {
  thread_agent& self = *this_thread();
  if (park_thread(self, reason, deadline)) return;
  std::uint32_t expected = unclaimed;
  if (!claim.compare_exchange_strong(expected, claimed_by_timeout))
    park_thread(self, reason, never);
}

}  // namespace

bool park_until(wait_reason reason, void (*release)(void*), void* arg, claim_word& claim,
                std::int64_t deadline) noexcept {
  if (deadline == never) return park(reason, release, arg);
  processor* p = current_processor();
  if (p == nullptr || p->current == nullptr) {
    ensure_started();  // which refuses in the child of a fork
    release(arg);
    park_thread_until(claim, deadline, reason);
    return true;
  }
  wait_node node(claim, p->current);
  timed_release r{release, arg, &node, deadline};
  const bool woken = park(reason, arm_and_release, &r);
  disarm(node);
  return woken;
}

bool park_until(wait_reason reason, spinlock& held, claim_word& claim,
                std::int64_t deadline) noexcept {
  if (deadline == never) return park(reason, held);
  return park_until(reason, unlock, &held, claim, deadline);
}

}  // namespace runnel::detail
