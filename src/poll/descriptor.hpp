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
#include <algorithm>
#include <atomic>
#include <cstdint>

#include <runnel/detail/park.hpp>
#include <runnel/poll.hpp>

#include "base/cpu.hpp"

namespace runnel::detail {

// Whether it pays to ask the kernel before one waits. After questions in vain the next 1, 3 and then always 7 waits do
// without; one that found the descriptor ready makes the next ones ask again. A guess: lost updates do no harm.
class look_habit {
 public:
  bool worth_looking() noexcept {
    const std::uint8_t left = skip_.load(std::memory_order_relaxed);
    if (left != 0) skip_.store(left - 1, std::memory_order_relaxed);
    return left == 0;
  }
  void found(bool ready) noexcept {
    const auto next = static_cast<std::uint8_t>(
        ready ? 0 : std::min(2 * length_.load(std::memory_order_relaxed) + 1, longest));
    length_.store(next, std::memory_order_relaxed);
    skip_.store(next, std::memory_order_relaxed);
  }

 private:
  static constexpr int longest = 7;
  std::atomic<std::uint8_t> length_{0};
  std::atomic<std::uint8_t> skip_{0};
};

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
