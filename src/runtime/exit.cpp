#include "runtime/exit.hpp"

#include <ctime>

#include "sched/scheduler.hpp"
#include "watch/panic.hpp"

namespace runnel::detail {
namespace {

constexpr std::int64_t longest_wait = 100'000'000;
constexpr long poll_interval = 200'000;

void nap() noexcept {
  const timespec ts{0, poll_interval};
  nanosleep(&ts, nullptr);
}

}  // namespace

void stop_at_exit() {
  wait_while_panicking();
  sched.stopping.store(true);
  const std::int64_t end = now_ns() + longest_wait;
  // Of the goroutine that called exit, if one did: it goes on running.
  const processor* self = current_processor();
  while (any_runs_but(self) && now_ns() < end) {
    attention.store(1);
    for (std::uint32_t i = 0; i < sched.processors.load(); ++i)
      if (processor* p = sched.all[i].load(); p != nullptr && p != self) p->preempt.store(true);
    nap();
  }
}

}  // namespace runnel::detail
