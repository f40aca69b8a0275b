// The poller over epoll: one epoll instance for the process; foreign descriptors are armed for one report at a time,
// our own for all there will ever be.
//
// The count of waiters is what pending() and through it the deadlock report go by. A waiter counts from before it is
// parked until after it is made ready, so that a goroutine is counted or queued, never neither.
#pragma once
#include <sys/epoll.h>
#include <atomic>
#include <cstdint>

#include "poll/descriptor.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// Waiters taken out of their queues, to be made ready once the lock is free. The link is the waiter's own.
class woken_list {
 public:
  /// Empties `queue`, under its lock. Each that is not claimed by somebody else gets `result`.
  void take_all(wait_queue& queue, int result) noexcept;
  /// Returns how many have left their queue.
  std::int32_t ready_all() noexcept;

 private:
  waiter* head_ = nullptr;
  waiter** tail_ = &head_;
  std::int32_t taken_ = 0;
};

class epoll_poller final : public poll_driver {
 public:
  constexpr epoll_poller() noexcept = default;

  void poll(std::int64_t deadline) noexcept override;
  void interrupt() noexcept override;
  bool pending() noexcept override { return waiting_.load() > 0; }

  /// Opens the poller's own descriptors at the first call; an errno, or zero.
  int open() noexcept;

  // All with d.mu held; none makes anybody ready, so that a select may call them before it is parked.

  /// Arms `d` for those who wait and for `direction`; an errno, or zero. Who turns out to wait for a file that is gone
  /// is taken out of the queues. One of our own is reported when it becomes ready and not while it is: the caller looks
  /// after this.
  int arm(descriptor& d, poll_direction direction) noexcept;
  /// Queues `w`; `d` is armed for `direction`.
  void add(descriptor& d, poll_direction direction, waiter& w) noexcept;
  /// Queues `w` to be woken by the next poll() with `result`, because `d` could not be armed.
  void add_failed(descriptor& d, int result, waiter& w) noexcept;
  /// Takes `w` out unless it is out already.
  void remove(waiter& w) noexcept;
  /// Queues the caller, parks it and gives d.mu free. True: woken, with what `result` is then. False: `deadline` has come.
  bool park(descriptor& d, poll_direction direction, std::int64_t deadline, int& result);
  /// It is ours from now on; who still waits for a file that had the number gets EBADF.
  void take_over(descriptor& d) noexcept;
  /// It is ours no more: no report will come.
  void give_up(descriptor& d) noexcept;

  /// Those taken from the queues of a descriptor, after d.mu was released.
  void let_go(woken_list& woken) noexcept;

 private:
  int open_locked() noexcept;
  int arm_foreign(descriptor& d, poll_direction direction) noexcept;
  int register_own(descriptor& d) noexcept;
  int control(int operation, descriptor& d, std::uint32_t events) noexcept;
  void abandon_waiters(descriptor& d) noexcept;
  void count_waiter() noexcept;
  void fail_next(descriptor& d, int result) noexcept;
  int wait_events(epoll_event* events, std::int64_t deadline) noexcept;
  void handle(const epoll_event& event) noexcept;
  void rearm(descriptor& d, woken_list& woken) noexcept;
  void wake_gone() noexcept;
  void clear_interrupt() noexcept;

  std::atomic<int> epoll_{-1};  // written once, under open_lock_
  int interrupt_ = -1;          // an eventfd; written before epoll_
  spinlock open_lock_;
  std::atomic<std::int32_t> waiting_{0};
  std::atomic<bool> interrupted_{false};      // the eventfd is set or about to be
  std::atomic<descriptor*> listed_{nullptr};  // those with somebody in `gone`
};

extern epoll_poller the_poller;

}  // namespace runnel::detail
