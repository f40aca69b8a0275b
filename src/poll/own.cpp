#include "poll/own.hpp"

#include <cerrno>
#include <mutex>

#include "poll/epoll.hpp"
#include "sched/start.hpp"

namespace runnel::detail {

own_descriptor::own_descriptor(int fd) : descriptor_(&descriptor_of(fd)) {
  std::lock_guard lock(descriptor_->mu);
  the_poller.take_over(*descriptor_);
}

int own_descriptor::wait(poll_direction direction, const std::atomic<std::int64_t>& deadline) {
  ensure_started();
  if (const int e = the_poller.open(); e != 0) return e;
  descriptor& d = *descriptor_;
  int result = 0;
  claim_word claim{unclaimed};
  waiter w;
  w.who = this_agent();
  w.slot = &result;
  w.claim = &claim;
  d.mu.lock();
  const int error = d.ours ? the_poller.arm(d, direction) : 0;
  if (!d.ours || error != 0 || edge_word::may_be_ready(edge(direction).look())) {
    d.mu.unlock();
    return error;
  }
  the_poller.add(d, direction, w);
  const bool woken = park_until(wait_reason::io_wait, d.mu, claim, deadline.load());
  if (woken && claim.load() != claimed_by_timeout) return 0;
  {
    std::lock_guard lock(d.mu);
    the_poller.remove(w);
  }
  if (!woken) throw_deadlock();
  return 0;
}

void own_descriptor::wake(poll_direction direction) noexcept {
  woken_list woken;
  {
    std::lock_guard lock(descriptor_->mu);
    woken.take_all(descriptor_->queue(direction), 0);
  }
  the_poller.let_go(woken);
}

void own_descriptor::give_up() noexcept {
  {
    std::lock_guard lock(descriptor_->mu);
    the_poller.give_up(*descriptor_);
  }
  wake(poll_direction::read);
  wake(poll_direction::write);
}

}  // namespace runnel::detail
