// What is known about a descriptor number, whether or not it is open.
//
// Under `mu` this always holds: somebody in one of the two queues means that the kernel will report the event he waits
// for with the current `seq`, or has reported it to a poll() that is about to take `mu`. Only a descriptor closed while
// it is waited for breaks it. Once that is noticed, its waiters go to `gone`, and the next poll() wakes them.
//
// Every arming takes a new `seq`, and a report with an older one is dropped. Nothing is lost by that, because arming
// looks at the file anew; and nobody is woken for what was ready before he came, or for another file that had the
// number before and lives on in a duplicate.
#pragma once
#include <atomic>
#include <cstdint>

#include <runnel/detail/park.hpp>
#include <runnel/poll.hpp>

#include "base/cpu.hpp"
#include "base/habit.hpp"

namespace runnel::detail {

// Whether to ask the kernel before one waits.
using look_habit = habit<7>;

struct alignas(cache_line) descriptor {
  int fd = -1;           // immutable
  look_habit habits[2];  // by poll_direction
  spinlock mu;
  // The rest is guarded by mu. A waiter's slot is the int that gets an errno, or zero when the descriptor is ready.
  std::uint32_t seq = 0;  // of the last arming
  bool registered =
      false;  // epoll knew the number when it was last armed; false: nobody is in `queues`
  bool listed = false;   // in the poller's list of those with somebody in `gone`
  int gone_errno = 0;    // what those in `gone` get
  wait_queue queues[2];  // by poll_direction
  wait_queue gone;
  descriptor* next_listed = nullptr;  // owned by that list

  look_habit& habit(poll_direction d) noexcept { return habits[static_cast<int>(d)]; }
  wait_queue& queue(poll_direction d) noexcept { return queues[static_cast<int>(d)]; }
};

/// Null: nobody has waited for that number yet.
descriptor* find_descriptor(int fd) noexcept;
/// Makes it if need be, for `fd` >= 0; lives for ever. Throws std::bad_alloc.
descriptor& descriptor_of(int fd);

}  // namespace runnel::detail
