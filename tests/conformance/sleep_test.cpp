// sleep_for and sleep_until.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <limits>
#include <thread>
#include <vector>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using std::chrono::nanoseconds;

MATRIX_TEST(Sleep, IsNeverShorterThanAsked_TM01) {
  for (const auto d : {1us, 100us, 1000us, 5000us, 30'000us}) {
    const stopwatch watch;
    runnel::sleep_for(d);
    EXPECT_GE(watch.elapsed(), d);
  }
}

MATRIX_TEST_THREAD(Sleep, WorksOnAPlainThread_TM01) {
  const stopwatch watch;
  runnel::sleep_for(20ms);
  EXPECT_GE(watch.elapsed(), 20ms);
  const auto until = runnel::clock::now() + 20ms;
  runnel::sleep_until(until);
  EXPECT_GE(runnel::clock::now(), until);
}

MATRIX_TEST(Sleep, UntilReachesTheTimePointOfEitherClock_TM01) {
  const auto a = runnel::clock::now() + 15ms;
  runnel::sleep_until(a);
  EXPECT_GE(runnel::clock::now(), a);
  const auto b = std::chrono::steady_clock::now() + 15ms;
  runnel::sleep_until(b);
  EXPECT_GE(std::chrono::steady_clock::now(), b);
}

MATRIX_TEST(Sleep, TakesAnyChronoDuration_TM01) {
  const stopwatch watch;
  runnel::sleep_for(std::chrono::duration<double>(0.01));
  EXPECT_GE(watch.elapsed(), 10ms);
  runnel::sleep_for(std::chrono::duration<float, std::milli>(1.5F));
  EXPECT_GE(watch.elapsed(), 11ms);
  runnel::sleep_for(std::chrono::hours(0));
}

MATRIX_TEST(Sleep, ZeroOrLessReturnsAtOnce_TM08_TM10) {
  const stopwatch watch;
  runnel::sleep_for(0s);
  runnel::sleep_for(-1h);
  runnel::sleep_for(nanoseconds::min());
  runnel::sleep_for(std::chrono::hours::min());
  runnel::sleep_until(runnel::clock::time_point::min());
  runnel::sleep_until(runnel::clock::now() - 1h);
  runnel::sleep_until(std::chrono::steady_clock::time_point::min());
  EXPECT_LT(watch.elapsed(), 1s * patience);
}

MATRIX_TEST(Sleep, ZeroDuringOtherActivityDoesNotHang_TM08) {
  std::atomic<bool> stop{false};
  runnel::wait_group busy;
  for (int i = 0; i < 3; ++i)
    busy.go([&] {
      while (!stop) runnel::yield();
    });
  for (int i = 0; i < 100; ++i) runnel::sleep_for(0s);
  stop = true;
  busy.wait();
}

MATRIX_TEST(Sleep, DoesNotHoldUpOthers) {
  const stopwatch watch;
  runnel::wait_group all;
  for (int i = 0; i < 100; ++i) all.go([] { runnel::sleep_for(50ms); });
  all.wait();
  EXPECT_GE(watch.elapsed(), 50ms);
  EXPECT_LT(watch.elapsed(), 2s * patience);
}

MATRIX_TEST(Sleep, LaterSleepersNeverWakeBeforeTheirTime) {
  constexpr int n = 200;
  std::atomic<int> early{0};
  runnel::wait_group all;
  for (int i = 0; i < n; ++i)
    all.go([i, &early] {
      const nanoseconds d = 100us * ((i * 37) % n);
      const stopwatch watch;
      runnel::sleep_for(d);
      if (watch.elapsed() < d) ++early;
    });
  all.wait();
  EXPECT_EQ(early, 0);
}

// The huge sleepers stay for the life of the process, so this is no matrix test.
TEST(Sleep, TheLargestDurationsNeverEnd_TM09) {
  static std::atomic<int> woken{0};
  runnel::run([] {
    const auto sleeper = [](auto d) {
      runnel::go([d] {
        runnel::sleep_for(d);
        ++woken;
      });
    };
    sleeper(nanoseconds::max());
    sleeper(std::chrono::hours::max());
    sleeper(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
    sleeper(std::chrono::years::max());
    runnel::go([] {
      runnel::sleep_until(runnel::clock::time_point::max());
      ++woken;
    });
    EXPECT_TRUE(runnel::after(25ms).recv());
    runnel::sleep_for(25ms);
    EXPECT_EQ(woken, 0);
  });
}

void count_signal(int) {}

class signal_handler_for_test {
 public:
  explicit signal_handler_for_test(int number) : number_(number) {
    struct sigaction mine {};
    mine.sa_handler = count_signal;  // without SA_RESTART: system calls are interrupted
    ::sigaction(number, &mine, &before_);
  }
  ~signal_handler_for_test() { ::sigaction(number_, &before_, nullptr); }
  signal_handler_for_test(const signal_handler_for_test&) = delete;
  signal_handler_for_test& operator=(const signal_handler_for_test&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

MATRIX_TEST(Sleep, IsNotCutShortBySignals_TM01_TM34) {
  const signal_handler_for_test handler(SIGUSR2);
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    while (!stop) {
      ::kill(::getpid(), SIGUSR2);
      std::this_thread::sleep_for(10ms);
    }
  });
  const stopwatch watch;
  runnel::sleep_for(100ms);
  EXPECT_GE(watch.elapsed(), 100ms);
  EXPECT_LT(watch.elapsed(), 5s * patience);
  stop = true;
  runnel::blocking([&] { sender.join(); });
}

MATRIX_TEST_THREAD(Sleep, OnAThreadIsNotCutShortBySignals_TM34) {
  const signal_handler_for_test handler(SIGUSR2);
  std::atomic<bool> stop{false};
  const pthread_t self = ::pthread_self();
  std::thread sender([&] {
    while (!stop) {
      ::pthread_kill(self, SIGUSR2);
      std::this_thread::sleep_for(10ms);
    }
  });
  const stopwatch watch;
  runnel::sleep_for(100ms);
  EXPECT_GE(watch.elapsed(), 100ms);
  stop = true;
  sender.join();
}

TEST(Clock, IsSteadyAndMonotonic) {
  static_assert(runnel::clock::is_steady);
  auto last = runnel::clock::now();
  for (int i = 0; i < 1000; ++i) {
    const auto now = runnel::clock::now();
    ASSERT_GE(now, last);
    last = now;
  }
}

// -- conversions ------------------------------------------------------------------------------------------------------

using runnel::detail::to_ns;
template <std::intmax_t Num, std::intmax_t Den>
using count_of = std::chrono::duration<std::int64_t, std::ratio<Num, Den>>;

constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();

static_assert(to_ns(1h) == 3'600'000'000'000);
static_assert(to_ns(std::chrono::hours::max()) == longest);
static_assert(to_ns(std::chrono::hours::min()) == -longest - 1);
// Whole nanoseconds, rounded up; exact where the product does not fit 64 bits.
static_assert(to_ns(count_of<1, 3>(1)) == 333'333'334);
static_assert(to_ns(count_of<1, 3>(-1)) == -333'333'333);
static_assert(to_ns(count_of<1, 60>(200'000'000'000)) == 3'333'333'333'333'333'334);
static_assert(to_ns(count_of<1, 1024>(1'000'000'000'000)) == 976'562'500'000'000'000);
static_assert(to_ns(count_of<1001, 30000>(30'000'000'000)) == 1'001'000'000'000'000'000);
static_assert(to_ns(std::chrono::duration<std::int64_t, std::pico>(1)) == 1);
static_assert(to_ns(std::chrono::duration<std::int64_t, std::exa>(1)) == longest);
static_assert(to_ns(std::chrono::duration<std::int64_t, std::exa>(0)) == 0);
static_assert(to_ns(std::chrono::duration<std::uint64_t, std::nano>(~std::uint64_t{0})) == longest);

}  // namespace
