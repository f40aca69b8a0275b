// The scheduler: process-wide state and the operations of the modules above it. Constant-initialised and never
// destroyed, so that goroutines may be started from static initialisers and live on while statics die.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <runnel/detail/park.hpp>

#include "sched/processor.hpp"

namespace runnel::detail {

inline constexpr std::uint32_t most_processors =
    10'000;                                           // threads, counting those stuck in the kernel
inline constexpr std::uint32_t most_patience = 4096;  // see patience

/// A source of work below the scheduler's horizon: timers and the poller. Installed by the runtime.
struct timer_driver {
  virtual timer_heap* make_heap(processor& owner) = 0;
  /// Fires what is due in `owner`'s heap; any processor may do it for any other. How many fired.
  virtual std::uint32_t run_due(processor& owner, std::int64_t now) noexcept = 0;

 protected:
  ~timer_driver() = default;
};
struct poll_driver {
  /// Makes ready whoever waits for a descriptor that has become ready; sleeps until `deadline` (0: does not) or
  /// interrupt().
  virtual void poll(std::int64_t deadline) noexcept = 0;
  virtual void interrupt() noexcept = 0;
  /// Somebody waits for a descriptor.
  virtual bool pending() noexcept = 0;

 protected:
  ~poll_driver() = default;
};

struct scheduler {
  // -- how many may run (sched/idle.cpp) ---------------------------------------------------------------------------
  alignas(cache_line) std::atomic<std::int32_t> spare{
      0};                                 // processors that may still become active; < 0: surplus
  std::atomic<std::int32_t> spinning{0};  // active processors that look for work
  // How many goroutines may become runnable before another processor is woken for them. Moving one to another core
  // costs some cache lines, waking that core some microseconds: a thief that finds nothing, or only what gains nothing
  // by that, doubles the patience; one that finds real work ends it. sysmon looks every millisecond whether work
  // waits all the same, so that a wrong guess costs no more.
  std::atomic<std::uint32_t> patience{1};
  alignas(cache_line) std::atomic<std::int32_t> active{0};
  std::atomic<std::uint64_t> activations{0};  // how often a processor has become active
  std::atomic<std::uint64_t> crew_since{0};   // when `active` last changed; see sched/pace.hpp
  std::atomic<std::uint32_t> crew_picks{0};   // count_picks() then
  std::atomic<std::uint64_t> pace_before{0};  // before a processor last joined; 0: not known
  std::atomic<std::uint64_t> pace_known_at{0};
  std::atomic<std::int32_t> max_procs{0};
  std::atomic<std::int32_t> blocking{0};  // goroutines inside blocking()
  std::atomic<std::int32_t> held_up{0};   // processors with processor::held_up
  spinlock idle_lock;
  processor* idle = nullptr;  // guarded by idle_lock
  std::atomic<processor*> watcher{
      nullptr};  // the idle processor that waits for timers and descriptors
  std::atomic<std::int64_t> watch_until{
      0};  // when the sleeping watcher will look again; 0: none sleeps
  std::atomic<bool> watcher_polls{false};  // it sleeps in the poller, not on its wake word
  std::atomic<std::uint32_t> watch_turns{
      0};  // odd while the watcher, not yet active, moves what is due into a queue
  std::int64_t shortest_watch = 0;  // the watcher's: how long it sleeps at least, in ns

  // -- the global queue ----------------------------------------------------------------------------------------------
  alignas(cache_line) spinlock global_lock;
  // Those woken where there was no processor to take them, by plain threads or one that then stepped back, apart from
  // those whose slice was over or who found no room. All of it guarded by global_lock.
  run_list arrivals;
  run_list global;
  bool arrivals_next = false;                    // in turns
  std::atomic<std::size_t> global_size{0};       // of both; written under global_lock
  std::atomic<bool> any_arrivals{false};         // written under global_lock
  std::atomic<std::uint32_t> pushed_outside{0};  // how often a plain thread has added to it

  // -- all processors ------------------------------------------------------------------------------------------------
  alignas(cache_line) std::atomic<std::uint32_t> processors{0};
  std::atomic<processor*> all[most_processors] = {};
  std::atomic<bool> stopping{false};  // the process exits: no goroutine is started any more

  // -- counters for goroutines that plain threads start -------------------------------------------------------------
  std::atomic<std::uint64_t> ids{1};
  std::atomic<std::uint64_t> started_outside{0};
  std::atomic<std::uint64_t> ended_outside{0};  // those that ended on a thread of their own
  std::atomic<std::int32_t> parked_threads{0};  // plain threads parked without a timeout
  std::atomic<std::int32_t> parked_armed{
      0};  // ... or about to, after arming a timer or a descriptor
  std::atomic<std::uint64_t> park_count{0};  // how often a thread has parked that way
  std::atomic<std::int32_t> runtime_threads{
      0};  // the runtime's own, without those given to a goroutine

  // -- for looks at timers and descriptors (sched/sources.cpp) -------------------------------------------------------
  std::atomic<std::uint64_t> polled_at{0};  // when a processor last polled, in cpu_ticks()
  std::atomic<bool> timers_late{false};     // sysmon: the next look in passing is at all timers

  // -- installed by the runtime before the first goroutine -----------------------------------------------------------
  timer_driver* timers = nullptr;
  poll_driver* poller = nullptr;
  void (*wake_monitor)() = nullptr;           // something runs again: sysmon has to look
  std::atomic<std::int64_t> coarse_now{0};    // kept by sysmon, good to its tick
  std::atomic<bool> monitor_is_batch{false};  // sysmon's thread is SCHED_BATCH, unlike the program
};

extern scheduler sched;

// -- for the runtime ------------------------------------------------------------------------------------------------
int change_max_procs(int n) noexcept;  // the old value; n < 1 changes nothing
void add_idle(processor& p) noexcept;  // a new processor that nobody has woken yet
std::size_t count_goroutines() noexcept;

// -- for work sources -----------------------------------------------------------------------------------------------
void push_global(runnable* r) noexcept;
void push_global(run_list& list) noexcept;
/// From a plain thread, which has no processor; wakes one.
void push_from_outside(runnable* r) noexcept;
/// Work was published: wake a processor if one may run and none is looking already.
void wake_for_work() noexcept;
/// The same for work that `p`, whose thread is calling, has got: as often as scheduler::patience lets it.
void wake_patiently(processor& p) noexcept;
/// A timer earlier than any before was armed, or a descriptor is waited for: whoever sleeps must look again.
void wake_watcher(std::int64_t deadline) noexcept;

// -- for sysmon and blocking() --------------------------------------------------------------------------------------
/// One more (or one fewer) processor may be active beside max_procs. One more: an idle one is woken for what waits, or to
/// watch where nobody does.
void adjust_limit(std::int32_t by) noexcept;
bool any_queued_work(bool with_next) noexcept;
std::int64_t earliest_timer() noexcept;
bool any_descriptor() noexcept;                     // is waited for
bool any_runs_but(const processor* self) noexcept;  // a goroutine; null: not even on one's own

// -- when a processor looks elsewhere; for its owner -----------------------------------------------------------------
/// Before it begins a slice: first at other ends than usual, see take_fairly().
inline bool fair_turn(const processor& p) noexcept { return next_slice(p) % fair_interval == 0; }
/// First at what look_in_passing() looks at. Each fair turn is one.
inline bool look_turn(const processor& p) noexcept {
  return (next_slice(p) & p.look_mask.load(std::memory_order_relaxed)) == 0;
}

// -- pieces of the scheduler used across its files ------------------------------------------------------------------
runnable* find_work(processor& p) noexcept;  // loop.cpp; blocks while there is none
std::uint32_t run_due_timers(
    processor& p) noexcept;                   // sources.cpp: of all processors; how many fired
void look_at_sources(processor& p) noexcept;  // sources.cpp: at all timers and descriptors
void look_in_passing(processor& p) noexcept;  // sources.cpp: at what should not wait for that
runnable* pick_local(
    processor& p) noexcept;  // loop.cpp; null: none here, or it is time to look elsewhere
void enter_idle(processor& p) noexcept;           // idle.cpp; returns once woken, active again
void sleep_idle(processor& p) noexcept;           // its last part, and a new processor's first
void leave_spinning(processor& p) noexcept;       // idle.cpp
bool retire_if_surplus(processor& p) noexcept;    // idle.cpp
bool retire_if_contended(processor& p) noexcept;  // idle.cpp; see sched/contention.hpp
void pass_on(processor& p, std::int64_t from) noexcept;  // loop.cpp; see there
processor* new_processor() noexcept;  // threads.cpp; idle, or null; one call at a time
/// A detached thread of the runtime's own, counted once it is there. `stack_bytes` of 0: as many as usual.
bool start_runtime_thread(void* (*body)(void*), void* arg, std::size_t stack_bytes) noexcept;
void start_thread(processor& p);                     // threads.cpp; a thread that takes over p
void make_room(processor& p, runnable* r) noexcept;  // loop.cpp: for r, for which p.woken is full
/// Into p.woken; for the order see woken_queue::push().
template <std::memory_order order = std::memory_order_seq_cst>
void enqueue_here(processor& p, runnable* r) noexcept {
  if (!p.woken.push<order>(r)) [[unlikely]]
    make_room(p, r);
}
void start_goroutine_here(goroutine* g) noexcept;

}  // namespace runnel::detail
