// The compiled half of go.hpp.
#include <runnel/go.hpp>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <system_error>

#include "base/env.hpp"
#include "base/output.hpp"
#include "runtime/defaults.hpp"
#include "runtime/exit.hpp"
#include "sched/runs.hpp"
#include "sched/spawn.hpp"
#include "sched/start.hpp"
#include "sched/thread_agent.hpp"
#include "sched/yield.hpp"
#include "stack/stack.hpp"
#include "watch/leaks.hpp"
#include "watch/panic.hpp"
#include "watch/sysmon.hpp"

namespace runnel {
namespace detail {
namespace {

deadlock_action effective(deadlock_action wanted) noexcept {
  if (wanted != deadlock_action::terminate) return wanted;
  return env().deadlock == env_choice::ignore ? deadlock_action::ignore : wanted;
}

leak_action effective(leak_action wanted) noexcept {
  if (wanted != leak_action::ignore) return wanted;
  switch (env().leaks) {
    case env_choice::report:
      return leak_action::report;
    case env_choice::terminate:
      return leak_action::terminate;
    default:
      return wanted;
  }
}

// What runs ask for lasts until one that asks for nothing begins where no other is active; what set_max_procs() asked for
// lasts.
std::atomic<bool> procs_of_a_run{false};

void apply_max_procs(int wanted) {
  if (wanted > 0) {
    procs_of_a_run.store(true);
  } else if (procs_of_a_run.exchange(false)) {
    wanted = env().max_procs;
    follow_cpus(true);
  }
  if (wanted > 0) {
    follow_cpus(false);
    change_max_procs(wanted);
  } else {
    count_cpus_again();
  }
}

void apply(const runtime_options& options) {
  if (options.max_procs < 0) throw std::invalid_argument("runnel: max_procs is negative");
  const bool alone = !any_run();
  if (options.stack_size != 0) {
    set_default_stack_size(options.stack_size);
  } else if (alone) {
    set_default_stack_size(stack_size_by_default());
  }
  if (options.max_procs > 0 || alone) apply_max_procs(options.max_procs);
}

struct main_call {
  void (*body)(void*);
  void* arg;
  std::exception_ptr thrown;
  active_run registered;
  agent* caller;
};

// Lives on the caller's stack; `call` is gone as soon as the caller is ready.
struct main_closure {
  main_call* call;
  void operator()() const {
    call->registered.main.store(this_goroutine_or_null());
    this_goroutine_or_null()->origin->scope = call->registered.id;
    try {
      call->body(call->arg);
    } catch (...) {
      call->thrown = std::current_exception();
    }
    call->registered.main.store(nullptr);
    ready(call->caller);
  }
};

struct registration {
  explicit registration(active_run& r) noexcept : run(r) { register_run(run); }
  ~registration() { unregister_run(run); }
  active_run& run;
};

std::atomic<std::uint64_t> run_ids{0};

}  // namespace

void run_main(const runtime_options& options, void (*body)(void*), void* arg) {
  if (this_goroutine_or_null() != nullptr)
    throw std::logic_error("runnel::run called from a goroutine");
  ensure_started();
  apply(options);
  main_call call{body, arg, nullptr, {}, this_agent()};
  call.registered.id = run_ids.fetch_add(1) + 1;
  call.registered.action = effective(options.on_deadlock);
  {
    const registration in_list(call.registered);
    go_with(go_options{.name = "main"}, here(), main_closure{&call});
    park_thread(*this_thread(), wait_reason::none, never);
  }
  wait_while_panicking();  // no way past a crash, not even by quick_exit()
  finish_run(call.registered.id, effective(options.on_leak));
  if (call.thrown) std::rethrow_exception(std::exchange(call.thrown, nullptr));
}

bool enter_blocking() noexcept {
  sched.blocking.fetch_add(1);
  processor* p = current_processor();
  if (p == nullptr) return false;
  p->blocking_tick.store(p->tick.load(std::memory_order_relaxed));
  p->in_blocking.store(true);
  // Somebody has to look after what this processor leaves: its queue, timers and descriptors.
  adjust_limit(1);
  return true;
}

// What was added is taken back, wherever the goroutine is now: it may have moved, or been locked to its thread.
void leave_blocking(bool has_added) noexcept {
  sched.blocking.fetch_sub(1);
  if (!has_added) return;
  if (processor* p = current_processor(); p != nullptr) p->in_blocking.store(false);
  adjust_limit(-1);
}

void go_of_nil() { fatal("go of nil func value"); }

}  // namespace detail

void yield() { detail::yield_goroutine(); }

int max_procs() {
  detail::ensure_started();
  return detail::sched.max_procs.load();
}

int set_max_procs(int n) {
  detail::ensure_started();
  if (n > 0) {
    detail::procs_of_a_run.store(false);
    detail::follow_cpus(false);
  }
  return detail::change_max_procs(n);
}

std::size_t num_goroutines() { return detail::count_goroutines(); }

void lock_os_thread() {
  if (detail::goroutine* g = detail::this_goroutine_or_null()) detail::lock_thread(*g);
}

void unlock_os_thread() {
  if (detail::goroutine* g = detail::this_goroutine_or_null()) detail::unlock_thread(*g);
}

namespace this_goroutine {

std::uint64_t id() {
  const detail::goroutine* g = detail::this_goroutine_or_null();
  return g != nullptr ? g->origin->id : 0;
}

std::string name() {
  const detail::goroutine* g = detail::this_goroutine_or_null();
  const char* text = g != nullptr ? g->origin->name.load() : nullptr;
  return text != nullptr ? text : "";
}

bool is_goroutine() { return detail::this_goroutine_or_null() != nullptr; }

}  // namespace this_goroutine
}  // namespace runnel
