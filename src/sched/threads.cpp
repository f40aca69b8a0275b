// The threads that processors run on.
#include <cxxabi.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include "base/futex.hpp"
#include "base/lock_wait.hpp"
#include "base/output.hpp"
#include "sched/contention.hpp"
#include "sched/scheduler.hpp"
#include "sched/signal_stack.hpp"
#include "sched/spawn.hpp"
#include "sched/switch.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t thread_stack_bytes =
    256 * 1024;  // the scheduler's own frames, and signal handlers

void loop(processor* p) {
  while (p != nullptr) p = switch_into(*p, *find_work(*p));
}

// A thread that sysmon has made would be scheduled as sysmon is.
void do_not_take_after_sysmon() noexcept {
  if (!sched.monitor_is_batch.load() || sched_getscheduler(0) != SCHED_BATCH) return;
  constexpr sched_param no_priority{};
  sched_setscheduler(0, SCHED_OTHER, &no_priority);
}

// Threads that a goroutine has unlocked; they wait for a processor that needs one.
struct spare_thread {
  spare_thread* next = nullptr;
  processor* taken_over = nullptr;
  std::atomic<std::uint32_t> woken{0};
};

constexpr int most_spares = 4;
spinlock spares_lock;
constinit spare_thread* spares = nullptr;  // guarded by spares_lock
constinit int spare_count = 0;             // guarded by spares_lock

// Null: enough wait.
processor* wait_for_processor() noexcept {
  spare_thread self;
  {
    const std::lock_guard lock(spares_lock);
    if (spare_count == most_spares) return nullptr;
    ++spare_count;
    self.next = std::exchange(spares, &self);
    sched.runtime_threads.fetch_add(1);
  }
  while (self.woken.load() == 0) futex_wait(self.woken, 0, never);
  return self.taken_over;
}

bool give_to_spare_thread(processor& p) noexcept {
  spare_thread* s = nullptr;
  {
    const std::lock_guard lock(spares_lock);
    if (spares == nullptr) return false;
    s = std::exchange(spares, spares->next);
    --spare_count;
  }
  s->taken_over = &p;
  std::atomic<std::uint32_t>* const woken = &s->woken;
  woken->store(1);
  futex_wake(woken);  // the thread may be gone: only the address is used
  return true;
}

// Until the thread gives the processor away, for a goroutine that is locked to it.
void serve(processor& p) noexcept {
  set_current_processor(&p);
  p.eh = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
  p.tid.store(static_cast<pid_t>(syscall(SYS_gettid)));
  p.sched_fiber.adopt_thread();
  p.lock_wait = own_lock_wait();
  if (p.status.load() == processor_status::idle)
    sleep_idle(p);  // a new processor
  else
    begin_judging(p);
  loop(&p);
}

void* thread_main(void* arg) {
  do_not_take_after_sysmon();
  pthread_setname_np(pthread_self(), "runnel-worker");
  install_signal_stack();
  for (auto* p = static_cast<processor*>(arg); p != nullptr;) {
    serve(*p);
    serve_locked();
    p = pass_on_unlocked() ? wait_for_processor() : nullptr;
  }
  remove_signal_stack();
  return nullptr;
}

bool try_start_thread(processor& p) noexcept {
  return give_to_spare_thread(p) || start_runtime_thread(thread_main, &p, thread_stack_bytes);
}

std::atomic<bool> limit_reported{false};

void report_limit(const char* why) noexcept {
  if (limit_reported.exchange(true)) return;
  write_stderr("runnel: ");
  write_stderr(why);
  write_stderr(" (processors: ");
  write_stderr(std::uint64_t{sched.processors.load()});
  write_stderr("); goroutines wait until a thread comes back from the kernel\n");
}

// One caller of new_processor() at a time owns these: it counts as spinning, and nobody else did when it began to.
constinit processor* without_thread = nullptr;  // made, but no thread could be had
constinit bool cache_allowed = false;  // room for stacks, but no memory for who would keep them

// In its slot, without a thread; null: the limit is reached, or there is no memory.
processor* make_processor() noexcept {
  const std::uint32_t index = sched.processors.load();
  if (index >= most_processors) {
    report_limit("the limit of threads is reached");
    return nullptr;
  }
  try {
    if (!cache_allowed) default_stacks().allow_cache();
    cache_allowed = true;
    auto p = std::make_unique<processor>();
    p->index = index;
    p->random = random_source(index + 1);
    p->timers = sched.timers->make_heap(*p);
    sched.all[index].store(p.get());
    sched.processors.store(index + 1);
    cache_allowed = false;
    return p.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace

processor* new_processor() noexcept {
  processor* p = std::exchange(without_thread, nullptr);
  if (p == nullptr) p = make_processor();
  if (p != nullptr && try_start_thread(*p)) return p;
  without_thread = p;
  report_limit("no more threads can be created");
  return nullptr;
}

// Counted before, it would be missed among the threads of the process, and somebody else who could wake one with it.
bool start_runtime_thread(void* (*body)(void*), void* arg, std::size_t stack_bytes) noexcept {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (stack_bytes != 0) pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, body, arg) == 0;
  pthread_attr_destroy(&attributes);
  if (started) sched.runtime_threads.fetch_add(1);
  return started;
}

void start_thread(processor& p) {
  if (!try_start_thread(p)) {
    write_stderr("fatal error: runnel: no thread can be created\n");
    end_process(2);
  }
}

// -- lock_os_thread ---------------------------------------------------------------------------------------------------
// The goroutine keeps the thread, and the processor too until it waits, gives way or ends. The processor then goes on with
// another thread, and from then on the goroutine parks as a plain thread does, beyond max_procs. It is the thread that
// waits in its place, from the start: processor::current is null.

void lock_thread(goroutine& g) noexcept {
  if (g.lock_depth++ != 0) return;
  thread_agent& t = *this_thread();
  t.locked = &g;
  g.thread = &t;
  current_processor()->current = nullptr;
}

void give_processor_away() noexcept {
  processor* p = current_processor();
  thread_agent& t = *this_thread();
  if (p == nullptr || t.locked == nullptr) return;
  sched.runtime_threads.fetch_sub(1);
  t.base_sp = p->sched_sp;
  t.base_fiber = p->sched_fiber;
  p->preempt.store(false, std::memory_order_relaxed);
  p->slice_was_ended = true;
  set_current_processor(nullptr);
  start_thread(*p);
}

namespace {

void leave_locked_thread(goroutine& g, bool ends) noexcept {
  thread_agent& t = *this_thread();
  t.locked = nullptr;
  g.thread = nullptr;
  t.signal.store(thread_agent::no_signal);
  auto* eh = reinterpret_cast<exception_state*>(abi::__cxa_get_globals());
  take_exceptions(*eh, g.exceptions);
  leaving(g.fiber, t.base_fiber, ends);
  void* p = runnel_switch(&g.sp, t.base_sp, nullptr);
  arrived(g.fiber);
  finish_switch(*static_cast<processor*>(p));
}

}  // namespace

void unlock_thread(goroutine& g) noexcept {
  if (g.lock_depth == 0 || --g.lock_depth != 0) return;
  if (processor* p = current_processor(); p != nullptr) {
    this_thread()->locked = nullptr;
    g.thread = nullptr;
    p->current = &g;
    return;
  }
  g.state.store(goroutine_state::runnable);
  this_thread()->leaving = &g;
  leave_locked_thread(g, false);
}

void end_locked_goroutine(goroutine& g) noexcept {
  give_processor_away();
  this_thread()->leaving = &g;
  g.lock_depth = 0;
  this_thread()->leaving_ended = true;
  leave_locked_thread(g, true);
  __builtin_unreachable();
}

bool pass_on_unlocked() noexcept {
  thread_agent& t = *this_thread();
  goroutine& g = *t.leaving;
  if (t.leaving_ended) {
    free_goroutine(nullptr, g);
    return false;
  }
  push_global(&g);
  wake_for_work();
  return true;
}

}  // namespace runnel::detail
