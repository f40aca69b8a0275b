#include <runnel/detail/spinlock.hpp>

#include <sched.h>
#include <ctime>

#include "base/cpu.hpp"

namespace runnel::detail {

namespace {

constexpr int spins = 128;  // the holder is on another processor and about to let go
constexpr int yields = 4;   // the holder may have been preempted on this one
constexpr long first_sleep = 20'000;
constexpr long longest_sleep = 1'000'000;

}  // namespace

void spinlock::lock_slow() noexcept {
  long sleep = first_sleep;
  for (int round = 0;; ++round) {
    for (int i = 0; i < spins; ++i) {
      if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) return;
      cpu_pause();
    }
    if (round < yields) {
      sched_yield();
    } else {
      const timespec ts{0, sleep};
      nanosleep(&ts, nullptr);
      if (sleep < longest_sleep) sleep *= 2;
    }
  }
}

}  // namespace runnel::detail
