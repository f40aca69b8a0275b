// A goroutine's control block, at the top of its own stack. What lasts before and after it is in its seed.
//
// State                 who owns the stack           which queue holds it
//   dead                the free list                none
//   runnable            the queue it is in           one run queue (or one processor's next slot)
//   running             the processor that runs it   none
//   waiting             its waker, once it has it    the wait queues its waiters are in
//   scanning            the dump that walks it       as waiting; ready() waits until the dump has put waiting back
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <runnel/detail/park.hpp>

#include "sched/sanitizer.hpp"
#include "sched/seed.hpp"
#include "stack/stack.hpp"

namespace runnel::detail {

enum class goroutine_state : std::uint32_t { dead, runnable, running, waiting, scanning };

struct local_table;
struct thread_agent;

/// The two words of __cxa_eh_globals: the exceptions being handled and how many are in flight.
struct exception_state {
  void* caught = nullptr;
  unsigned uncaught = 0;

  bool any() const noexcept { return caught != nullptr || uncaught != 0; }
};

struct goroutine : stack_block, runnable, agent {
  // Owned by whoever owns the stack. One cache line, from the link of runnable to origin.
  std::atomic<goroutine_state> state{goroutine_state::dead};
  void* sp = nullptr;
  exception_state exceptions;
  std::atomic<wait_reason> reason{wait_reason::none};
  bool deadlocked = false;  // written by the deadlock report before it makes this goroutine ready
  std::uint16_t lock_depth = 0;        // nested lock_os_thread()
  std::atomic<std::int64_t> since{0};  // sysmon's coarse time at which it began to wait
  seed* origin = nullptr;              // what it grew from: closure, number, name

  local_table* locals = nullptr;   // owner: the goroutine
  thread_agent* thread = nullptr;  // while locked to its thread: that thread
  sanitizer_fiber fiber;

  std::size_t stack_bytes() const noexcept {
    return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(this) - low);
  }
};
static_assert(sizeof(goroutine) <= control_block_bytes);

}  // namespace runnel::detail
