// Two clocks: the system's, and one for deadlines that costs half of it or less.
//
// The second adds what the processor's counter says has passed since both were read together, by the same thread and a
// moment ago. It is never behind the system's, so that nothing ends too early that waits for a time made of it, and at
// most 0.2 us ahead.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <string_view>

#include <runnel/detail/time.hpp>

#include "base/clock.hpp"
#include "base/cpu.hpp"

namespace runnel::detail {

std::int64_t now_ns() noexcept {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return std::int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

#if defined(__x86_64__)
namespace {

constexpr std::uint64_t longest_use = 1 << 16;  // ticks that a reading serves; some 25 us
constexpr std::uint64_t longest_look = 250;     // ticks that it may have taken
constexpr unsigned rate_bits = 40;
// ns between the readings that a rate is made of; in the least of them the looks can be some 0.015 % of it.
constexpr std::int64_t least_distance = 1'000'000;
constexpr std::int64_t most_distance = 1'000'000'000;

struct reading {
  std::uint64_t before = 0;  // ticks
  std::int64_t ns = 0;
  std::uint64_t after = 0;  // ticks
};

std::atomic<bool> counter_keeps_time{false};
// Nanoseconds per tick, a thousandth more than measured: the system's clock is slewed by up to half of that. 0: not known.
std::atomic<std::uint64_t> rate{0};

constinit thread_local reading last;

// Again and again, as a machine may be suspended or moved. A rate that differs from the one before is not used until the
// next agrees with it.
void measure_rate(const reading& now) noexcept {
  static std::atomic<bool> busy{false};
  static reading first;               // guarded by busy
  static std::uint64_t measured = 0;  // guarded by busy
  if (busy.exchange(true)) return;
  const std::int64_t distance = now.ns - first.ns;
  if (distance >= least_distance) {
    if (distance <= most_distance && now.before > first.after) {
      const std::uint64_t before = measured;
      measured = static_cast<std::uint64_t>((wide{distance} << rate_bits) /
                                            static_cast<wide>(now.before - first.after));
      const std::uint64_t apart = measured > before ? measured - before : before - measured;
      rate.store(apart <= measured >> 11 ? measured + (measured >> 10) : 0,
                 std::memory_order_relaxed);
    }
    first = now;
  }
  busy.store(false);
}

std::int64_t read_both() noexcept {
  const std::uint64_t before = cpu_ticks();
  const std::int64_t ns = now_ns();
  const reading now{before, ns, cpu_ticks()};
  if (now.after - now.before <= longest_look) {
    last = now;
    measure_rate(now);
  }
  return ns;
}

}  // namespace

// What the kernel keeps time by goes at one pace on all cores.
void choose_clock() noexcept {
  const int file = ::open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                          O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::array<char, 16> text;
  const ssize_t n = ::read(file, text.data(), text.size());
  ::close(file);
  counter_keeps_time.store(n > 0 &&
                           std::string_view(text.data(), static_cast<std::size_t>(n)) == "tsc\n");
}

// Not inlined: `last` is this thread's, and the caller may go on on another one.
RUNNEL_OPAQUE std::int64_t rough_now_ns() noexcept {
  const std::uint64_t per_tick = rate.load(std::memory_order_relaxed);
  if (per_tick != 0) {
    const std::uint64_t age = cpu_ticks() - last.before;
    if (age < longest_use) [[likely]]
      return last.ns + static_cast<std::int64_t>((age * per_tick) >> rate_bits);
  }
  return counter_keeps_time.load(std::memory_order_relaxed) ? read_both() : now_ns();
}
#else
void choose_clock() noexcept {}
std::int64_t rough_now_ns() noexcept { return now_ns(); }
#endif

}  // namespace runnel::detail
