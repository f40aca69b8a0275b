// Timers: one queue per processor, of nodes that live in the waiting goroutine or in a timer object.
//
// A wait node is claimed under the queue's lock: after disarm() has had that lock, nothing touches the node any more.
// A timer object is owned by its queue while armed (one reference); it fires without the lock.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>

#include <runnel/detail/park.hpp>
#include <runnel/detail/timer_object.hpp>

#include "sched/scheduler.hpp"

namespace runnel::detail {

struct wait_node : timer_node {
  wait_node(claim_word& c, agent* a) noexcept : timer_node(true), claim(&c), who(a) {}
  claim_word* claim;  // immutable
  agent* who;         // immutable
};

timer_driver& timers() noexcept;

}  // namespace runnel::detail
