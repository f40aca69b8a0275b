// A processor: the right and the means to run goroutines, with a thread of its own. How many may be active at once is
// decided in sched/idle.cpp.
#pragma once
#include <sys/types.h>
#include <atomic>
#include <cstdint>

#include "base/cpu.hpp"
#include "base/habit.hpp"
#include "base/random.hpp"
#include "sched/goroutine.hpp"
#include "sched/run_queue.hpp"
#include "stack/stack.hpp"

namespace runnel::detail {

class timer_heap;

inline constexpr std::uint32_t fair_interval = 64;  // every so many slices look at the other end

/// What has to be done for the context that was just left, once it is off its stack.
struct pending_action {
  enum class kind : std::uint8_t { none, unlock, call, requeue, requeue_globally, free };
  kind what = kind::none;
  void (*fn)(void*) = nullptr;  // call
  void* arg = nullptr;          // the lock, fn's argument, the runnable or (free) the goroutine

  // Field by field, here and where it is read: a copy of the whole would wait for the separate stores before it.
  void set(kind k, void* a, void (*f)(void*) = nullptr) noexcept {
    what = k;
    fn = f;
    arg = a;
  }
};

/// The memory of an ended timer; see time/channel_timer.cpp.
struct free_timer {
  free_timer* link;
};

enum class processor_status : std::uint32_t { idle, searching, running };

struct processor {
  // -- owner only ---------------------------------------------------------------------------------------------------
  goroutine* current = nullptr;  // null while the scheduler's own context runs
  pending_action pending;
  exception_state* eh = nullptr;  // __cxa_get_globals() of this processor's thread
  void* sched_sp = nullptr;       // the scheduler's context while a goroutine runs
  sanitizer_fiber sched_fiber;
  free_cache<stack_block> stacks;  // of default_stacks()
  free_cache<seed> seed_cache;
  free_cache<free_timer> free_timers;
  random_source random;
  std::uint64_t next_id = 0;  // goroutine ids reserved for this processor: [next_id, id_end)
  std::uint64_t id_end = 0;
  std::uint32_t streak = 0;         // picks from the next slot in a row
  std::uint32_t wakes_skipped = 0;  // see scheduler::patience
  std::uint32_t outside_seen = 0;   // scheduler::pushed_outside when this last ran out of work
  habit<31> lingers;                // before it goes idle
  std::uint32_t stolen = 0;         // goroutines taken by the last steal; 0: judged already
  std::int64_t stolen_at = 0;
  std::uint32_t stolen_tick = 0;   // `tick` then
  std::uint32_t woken_tick = 0;    // `tick` when it last became active
  std::int64_t oldest_at = 0;      // when the oldest of started_here last had its turn
  bool took_started = false;       // one of started_here was taken since the last fair turn
  bool took_arrival = false;       // at its last look in passing
  bool slice_was_ended = false;    // by attend(): timers that are due come first
  bool spinning = false;           // counted in scheduler::spinning
  std::uint64_t looked_at = 0;     // in cpu_ticks(); see sched/sources.cpp
  std::uint32_t looked_slice = 0;  // `slice` then
  const std::uint64_t* lock_wait = nullptr;  // own_lock_wait() of this processor's thread
  std::uint64_t lock_wait_seen = 0;          // *lock_wait at judged_at
  std::uint64_t judged_at = 0;               // in cpu_ticks(); see sched/contention.hpp
  std::uint32_t picks_seen = 0;              // of all processors, at judged_at
  std::uint32_t own_picks_seen = 0;

  // -- written by the owner, read by others --------------------------------------------------------------------------
  alignas(cache_line) std::atomic<std::uint32_t> tick{
      0};  // picks by pick_local() so far; sysmon sees by it and `slice` whether we get on
  std::atomic<std::uint32_t> slice{
      0};  // time slices so far: picks not from the next slot, find_work()'s too
  // A power of two, less one: a new slice without any of these bits is a look turn. Sysmon clears them all.
  std::atomic<std::uint32_t> look_mask{fair_interval - 1};
  std::atomic<std::uint32_t> polls{0};          // looks at the poller so far
  std::atomic<std::uint32_t> blocking_tick{0};  // `tick` when blocking() was entered
  std::atomic<std::uint64_t> started{0};
  std::atomic<std::uint64_t> ended{0};
  std::atomic<processor_status> status{processor_status::idle};
  std::atomic<bool> in_blocking{false};  // inside blocking(), if tick is still blocking_tick
  std::atomic<pid_t> tid{0};
  std::atomic<bool> held_up{false};  // sysmon's: its thread does not get on, others take its work

  // -- shared ---------------------------------------------------------------------------------------------------------
  alignas(cache_line) std::atomic<goroutine*> next{nullptr};  // woken last; inherits the time slice
  woken_queue woken;
  started_queue started_here;
  alignas(cache_line) std::atomic<std::int64_t> next_timer{never};  // earliest of `timers`
  timer_heap* timers = nullptr;                                     // immutable after construction
  std::atomic<bool> preempt{false};  // sysmon: give way at the next runtime call
  std::atomic<std::uint32_t> wake_word{
      0};                   // bit 0: woken to run, as a spinning processor; the rest counts nudges
  std::uint32_t index = 0;  // immutable after construction
  processor* next_idle = nullptr;  // guarded by scheduler::idle_lock

  bool has_queued_work() const noexcept { return !woken.empty() || !started_here.empty(); }
};

/// The number of the slice that would begin now; for the owner.
inline std::uint32_t next_slice(const processor& p) noexcept {
  return p.slice.load(std::memory_order_relaxed) + 1;
}

/// The processor whose thread is calling; null on a plain thread. Never cached across a switch.
processor* current_processor() noexcept;
void set_current_processor(processor* p) noexcept;

}  // namespace runnel::detail
