// A plain thread as something that can park: it sleeps on a futex. A goroutine locked to its thread parks this way
// too.
#pragma once
#include <atomic>
#include <cstdint>

#include <runnel/detail/park.hpp>

#include "base/habit.hpp"
#include "base/random.hpp"
#include "sched/goroutine.hpp"

namespace runnel::detail {

struct thread_agent : agent {
  constexpr thread_agent() noexcept : agent{kind::thread} {}

  // asleep: until a deadline; parked: without one, and in the count of parked threads. Whoever makes the thread ready
  // takes it off that: it may sleep on for a while.
  enum : std::uint32_t { no_signal, asleep, parked, signalled };
  std::atomic<std::uint32_t> signal{no_signal};
  random_source random;         // owner only
  habit<31> spins;              // owner only: before it sleeps
  goroutine* locked = nullptr;  // owner only: the goroutine that is locked to this thread
  void* base_sp = nullptr;      // owner only: the thread's own context while `locked` runs on it
  std::int64_t deadline = 0;    // owner only: until when `locked` waits
  bool armed = false;  // owner only: it has armed a timer or a descriptor, and not slept since
  sanitizer_fiber base_fiber;
  goroutine* leaving = nullptr;  // owner only: it has just left this thread
  bool leaving_ended = false;    // owner only: it has ended
};

/// The calling thread's; never cached across a switch.
thread_agent* this_thread() noexcept;

/// The calling goroutine, also when it is locked to its thread; null on a plain thread.
goroutine* this_goroutine_or_null() noexcept;

void lock_thread(goroutine& g) noexcept;
/// Where a goroutine that is locked to the calling thread still has the processor: for it is about to wait or give way.
void give_processor_away() noexcept;
void unlock_thread(goroutine& g) noexcept;
/// On the thread's own stack, while a goroutine is locked to it: sleeps when that one waits, until it leaves.
void serve_locked() noexcept;
/// Called on the thread's own stack after the goroutine that was locked to it has left; passes it on. False: it has ended,
/// and the thread, which may be as it left it, is to end too.
bool pass_on_unlocked() noexcept;

/// Sleeps until ready(); false if `deadline` came first.
bool park_thread(thread_agent& self, wait_reason reason, std::int64_t deadline) noexcept;

}  // namespace runnel::detail
