// What is known about a descriptor number, whether or not it is open.
//
// Under `mu` this always holds: somebody in one of the two queues means that the kernel will report the event he waits
// for with the current `seq`, or has reported it to a poll() that is about to take `mu`. Only a descriptor closed while
// it is waited for breaks it. Once that is noticed, its waiters go to `gone`, and the next poll() wakes them.
//
// Every arming takes a new `seq`, and a report with an older one is dropped. Nothing is lost by that, because arming
// looks at the file anew; and nobody is woken for what was ready before he came, or for another file that had the
// number before and lives on in a duplicate.
//
// One of our own (poll/own.hpp) is registered once, edge-triggered, and keeps its `seq` until it is given up.
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

/// Whether one direction of an own descriptor may be ready. It is from the start, and stops to be when somebody finds out
/// that it is not and no report has come since he looked: the next report is still to come then.
class edge_word {
 public:
  using value = std::uint32_t;

  value look() const noexcept { return word_.load(); }
  static bool may_be_ready(value seen) noexcept { return (seen & ready_bit) != 0; }
  /// There was a report that more than input has come: an end, an error or urgent data.
  static bool is_special(value seen) noexcept { return (seen & special_bit) != 0; }
  /// The descriptor was asked after `seen` was looked at, and was not ready.
  void found_empty(value seen) noexcept { word_.compare_exchange_strong(seen, seen & ~ready_bit); }
  void report(bool special) noexcept {
    value now = word_.load();
    while (!word_.compare_exchange_weak(now,
                                        (now + step) | ready_bit | (special ? special_bit : 0U))) {
    }
  }
  void reset() noexcept { word_.store(ready_bit); }

 private:
  static constexpr value ready_bit = 1;
  static constexpr value special_bit = 2;
  static constexpr value step = 4;  // counts reports

  std::atomic<value> word_{ready_bit};
};

struct alignas(cache_line) descriptor {
  int fd = -1;           // immutable
  look_habit habits[2];  // by poll_direction
  edge_word edges[2];    // by poll_direction; used while it is ours
  spinlock mu;
  // The rest is guarded by mu. A waiter's slot is the int that gets an errno, or zero when the descriptor is ready.
  std::uint32_t seq = 0;  // of the last arming
  bool registered =
      false;          // epoll knew the number when it was last armed; false: nobody is in `queues`
  bool ours = false;  // it belongs to an own_descriptor
  bool listed = false;   // in the poller's list of those with somebody in `gone`
  int gone_errno = 0;    // what those in `gone` get
  wait_queue queues[2];  // by poll_direction
  wait_queue gone;
  descriptor* next_listed = nullptr;  // owned by that list

  edge_word& edge(poll_direction d) noexcept { return edges[static_cast<int>(d)]; }
  look_habit& habit(poll_direction d) noexcept { return habits[static_cast<int>(d)]; }
  wait_queue& queue(poll_direction d) noexcept { return queues[static_cast<int>(d)]; }
};

/// Null: nobody has waited for that number yet.
descriptor* find_descriptor(int fd) noexcept;
/// Makes it if need be, for `fd` >= 0; lives for ever. Throws std::bad_alloc.
descriptor& descriptor_of(int fd);

}  // namespace runnel::detail
