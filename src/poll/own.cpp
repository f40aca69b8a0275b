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
  d.mu.lock();
  const int error = d.ours ? the_poller.arm(d, direction) : 0;
  if (!d.ours || error != 0 || edge_word::may_be_ready(edge(direction).look())) {
    d.mu.unlock();
    return error;
  }
  int ignored = 0;
  the_poller.park(d, direction, deadline.load(), ignored);
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
  woken_list woken;
  {
    std::lock_guard lock(descriptor_->mu);
    the_poller.give_up(*descriptor_);
    for (wait_queue& q : descriptor_->queues) woken.take_all(q, 0);
  }
  the_poller.let_go(woken);
}

}  // namespace runnel::detail
