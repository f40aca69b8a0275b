#include <runnel/detail/spinlock.hpp>

#include <sched.h>
#include <ctime>

#include "base/cpu.hpp"
#include "base/lock_wait.hpp"

namespace runnel::detail {

namespace {

constexpr int spins = 128;  // the holder is on another processor and about to let go
constexpr int yields = 4;   // the holder may have been preempted on this one
constexpr long first_sleep = 20'000;
constexpr long longest_sleep = 1'000'000;

thread_local constinit std::uint64_t waited = 0;

}  // namespace

const std::uint64_t* own_lock_wait() noexcept { return &waited; }

// Opaque, as what is in sched/current.cpp: who calls it may wait and resume on another thread.
RUNNEL_OPAQUE void note_lock_wait(std::uint64_t began) noexcept { waited += cpu_ticks() - began; }

void spinlock::lock_slow() noexcept {
  const std::uint64_t began = cpu_ticks();
  long sleep = first_sleep;
  for (int round = 0;; ++round) {
    for (int i = 0; i < spins; ++i) {
      if (word_.load(std::memory_order_relaxed) == 0 && try_lock()) {
        note_lock_wait(began);
        return;
      }
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
