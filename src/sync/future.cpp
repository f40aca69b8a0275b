#include <runnel/detail/future.hpp>

#include "sync/waiters.hpp"

namespace runnel::detail {

void future_core::publish() noexcept {
  wake_list woken;
  lock_.lock();
  // release: pairs with the acquire in is_ready()
  published_.store(true, std::memory_order_release);
  woken.add_all(waiters_);
  lock_.unlock();
  woken.ready_all();
}

bool future_core::wait_slow(std::int64_t deadline) {
  waiter w;
  w.who = this_agent();
  claim_word claim{unclaimed};
  lock_.lock();
  if (is_ready()) {
    lock_.unlock();
    return true;
  }
  if (deadline != never && has_come(deadline)) {
    lock_.unlock();
    check_attention();
    return false;
  }
  waiters_.push_back(w);
  const wait_end end = park_in(wait_reason::semacquire, lock_, w, claim, deadline);
  if (end == wait_end::woken) return true;
  lock_.lock();
  waiters_.remove(w);
  lock_.unlock();
  if (end == wait_end::deadlocked) throw_deadlock();
  return is_ready();
}

}  // namespace runnel::detail
