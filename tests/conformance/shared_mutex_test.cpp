// shared_mutex and shared_timed_mutex.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::shared_mutex;
using runnel::shared_timed_mutex;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<shared_mutex> &&
              !std::is_move_constructible_v<shared_mutex>);

constexpr const char* waiting_to_read = "sync.RWMutex.RLock";
constexpr const char* waiting_to_write = "sync.RWMutex.Lock";

MATRIX_TEST(SharedMutex, ReadersAreInsideTogether_RW01) {
  for (const int readers : {1, 3, 4}) {
    shared_mutex m;
    runnel::chan<void> inside(readers);
    runnel::chan<void> leave;
    wait_group all;
    for (int i = 0; i < readers; ++i)
      all.go([&] {
        const std::shared_lock lock(m);
        inside.send();
        leave.recv();
      });
    for (int i = 0; i < readers; ++i) EXPECT_TRUE(inside.recv_for(10s));
    leave.close();
    all.wait();
  }
}

void exclusion(int readers, int rounds) {
  shared_mutex m;
  std::atomic<int> activity{0};
  wait_group all;
  for (int w = 0; w < 2; ++w)
    all.go([&, rounds] {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock lock(m);
        EXPECT_EQ(activity += 10'000, 10'000);
        if (i % 10 == 0) runnel::yield();
        activity -= 10'000;
      }
    });
  for (int r = 0; r < readers; ++r)
    all.go([&, rounds] {
      for (int i = 0; i < rounds; ++i) {
        const std::shared_lock lock(m);
        const int n = activity += 1;
        EXPECT_TRUE(n >= 1 && n < 10'000) << n;
        if (i % 10 == 0) runnel::yield();
        activity -= 1;
      }
    });
  all.wait();
  EXPECT_EQ(activity, 0);
}

MATRIX_TEST(SharedMutex, WritersAreAlone_RW02) {
  for (const int readers : {1, 3, 10}) exclusion(readers, scaled(500));
}

MATRIX_TEST(SharedMutex, TryLocks_RW03) {
  shared_mutex m;
  m.lock();
  EXPECT_FALSE(m.try_lock());
  EXPECT_FALSE(m.try_lock_shared());
  m.unlock();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
  EXPECT_TRUE(m.try_lock_shared());
  EXPECT_TRUE(m.try_lock_shared());
  EXPECT_FALSE(m.try_lock());
  m.unlock_shared();
  EXPECT_FALSE(m.try_lock());
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

MATRIX_TEST(SharedMutex, AWaitingWriterHoldsOffNewReaders_RW04_RW08) {
  shared_mutex m;
  m.lock_shared();
  std::atomic<int> order{0};
  int writer_at = 0;
  int reader_at = 0;
  wait_group all;
  all.go([&] {
    const std::scoped_lock lock(m);
    writer_at = ++order;
  });
  EXPECT_TRUE(until_blocked(waiting_to_write));
  EXPECT_FALSE(m.try_lock_shared());
  all.go([&] {
    const std::shared_lock lock(m);
    reader_at = ++order;
  });
  EXPECT_TRUE(until_blocked(waiting_to_read));
  m.unlock_shared();
  all.wait();
  EXPECT_EQ(writer_at, 1);
  EXPECT_EQ(reader_at, 2);
}

MATRIX_TEST(SharedMutex, AWriterEntersOnlyAfterAllReaders_RW07) {
  shared_mutex m;
  m.lock_shared();
  m.lock_shared();
  std::atomic<bool> writing{false};
  runnel::chan<void> finish;
  wait_group all;
  all.go([&] {
    const std::scoped_lock lock(m);
    writing = true;
    finish.recv();
  });
  EXPECT_TRUE(until_blocked(waiting_to_write));
  m.unlock_shared();
  EXPECT_FALSE(writing);
  EXPECT_TRUE(until_blocked(waiting_to_write));
  m.unlock_shared();
  EXPECT_TRUE(eventually([&] { return writing.load(); }));
  std::atomic<bool> reading{false};
  all.go([&] {
    const std::shared_lock lock(m);
    reading = true;
  });
  EXPECT_TRUE(until_blocked(waiting_to_read));
  EXPECT_FALSE(reading);
  finish.send();
  all.wait();
  EXPECT_TRUE(reading);
}

using step = void (*)(shared_mutex&);

// While three others do theirs all the time, `own` gets its turns.
void gets_its_turn(step own, step others) {
  shared_mutex m;
  std::atomic<int> rounds{0};
  std::atomic<bool> stop{false};
  wait_group all;
  for (int g = 0; g < 3; ++g)
    all.go([&] {
      while (!stop) {
        others(m);
        ++rounds;
      }
    });
  EXPECT_TRUE(eventually([&] { return rounds > 10; }));
  const stopwatch watch;
  for (int i = 0; i < 20; ++i) own(m);
  EXPECT_LT(watch.elapsed(), 10s);
  stop = true;
  all.wait();
}

void read(shared_mutex& m) { const std::shared_lock lock(m); }
void write(shared_mutex& m) { const std::scoped_lock lock(m); }

void read_slowly(shared_mutex& m) {
  const std::shared_lock lock(m);
  runnel::sleep_for(200us);
}
void write_slowly(shared_mutex& m) {
  const std::scoped_lock lock(m);
  runnel::sleep_for(200us);
}
// It is handed the mutex, for a select cannot try again.
void select_slowly(shared_mutex& m) {
  runnel::select(runnel::on_lock(m, [&] {
    runnel::sleep_for(200us);
    m.unlock();
  }));
}
// It runs and takes the mutex again before anybody who was woken does.
void write_again_and_again(shared_mutex& m) {
  const std::scoped_lock lock(m);
  for (volatile int i = 0; i < 1000;) i = i + 1;
}

MATRIX_TEST(SharedMutex, ReadersThatComeAllTheTimeDoNotStarveAWriter_RW08) {
  gets_its_turn(write, read_slowly);
}
MATRIX_TEST(SharedMutex, WritersThatComeAllTheTimeDoNotStarveAReader) {
  gets_its_turn(read, write_slowly);
  gets_its_turn(read, write_again_and_again);
}
MATRIX_TEST(SharedMutex, WritersThatComeAllTheTimeDoNotStarveAWriter) {
  gets_its_turn(write, write_slowly);
  gets_its_turn(write, write_again_and_again);
}
MATRIX_TEST(SharedMutex, SelectsThatWriteAllTheTimeStarveNobody) {
  gets_its_turn(read, select_slowly);
  gets_its_turn(write, select_slowly);
}

MATRIX_TEST(SharedMutex, AnotherGoroutineMayUnlock) {
  shared_mutex m;
  m.lock();
  runnel::go([&] { m.unlock(); });
  m.lock_shared();
  runnel::go([&] { m.unlock_shared(); });
  m.lock();
  m.unlock();
}

MATRIX_TEST_THREAD(SharedMutex, ExcludesThreadsAndGoroutines_RW02) {
  shared_mutex m;
  long counter = 0;
  const int rounds = scaled(1000);
  wait_group all;
  for (int g = 0; g < 2; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock lock(m);
        ++counter;
      }
    });
  long last = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::shared_lock lock(m);
    EXPECT_GE(counter, last);
    last = counter;
  }
  all.wait();
  EXPECT_EQ(counter, 2L * rounds);
}

// The lifetime rule, for both kinds of former owner.
MATRIX_TEST(SharedMutex, MayBeDestroyedByTheNextOwner) {
  for (int i = 0; i < scaled(3000); ++i) {
    auto m = std::make_unique<shared_mutex>();
    const bool shared = i % 2 == 0;
    if (shared)
      m->lock_shared();
    else
      m->lock();
    runnel::go([p = m.get(), shared] {
      if (shared)
        p->unlock_shared();
      else
        p->unlock();
    });
    if (i % 3 == 0) runnel::yield();
    m->lock();
    m->unlock();
    m.reset();
  }
}

MATRIX_TEST(SharedTimedMutex, TimedLocksGiveUpInTime) {
  shared_timed_mutex m;
  m.lock();
  const stopwatch watch;
  EXPECT_FALSE(m.try_lock_for(10ms));
  EXPECT_FALSE(m.try_lock_shared_for(10ms));
  EXPECT_FALSE(m.try_lock_until(runnel::clock::now() + 10ms));
  EXPECT_FALSE(m.try_lock_shared_until(std::chrono::steady_clock::now() + 10ms));
  EXPECT_GE(watch.elapsed(), 40ms);
  m.unlock();
  EXPECT_TRUE(m.try_lock_shared_for(-1s));
  EXPECT_TRUE(m.try_lock_shared_for(1ms));
  EXPECT_FALSE(m.try_lock_for(1ms));
  m.unlock_shared();
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock_for(1ms));
  m.unlock();
}

MATRIX_TEST(SharedTimedMutex, TheyTakeItWhenItBecomesFree) {
  shared_timed_mutex m;
  m.lock();
  wait_group all;
  all.go([&] {
    EXPECT_TRUE(m.try_lock_shared_for(1h));
    m.unlock_shared();
  });
  EXPECT_TRUE(until_blocked(waiting_to_read));
  m.unlock();
  all.wait();
  m.lock_shared();
  all.go([&] {
    EXPECT_TRUE(m.try_lock_for(1h));
    m.unlock();
  });
  EXPECT_TRUE(until_blocked(waiting_to_write));
  m.unlock_shared();
  all.wait();
}

// A writer that gives up must let in the readers it held off.
MATRIX_TEST(SharedTimedMutex, AWriterThatGivesUpLetsTheReadersIn_RW04) {
  shared_timed_mutex m;
  m.lock_shared();
  wait_group all;
  std::atomic<bool> entered{false};
  all.go([&] { EXPECT_FALSE(m.try_lock_for(1s)); });  // the first dump reads symbols
  EXPECT_TRUE(until_blocked(waiting_to_write));
  all.go([&] {
    const std::shared_lock lock(m);
    entered = true;
  });
  EXPECT_TRUE(eventually([&] { return entered.load(); }));
  all.wait();
  EXPECT_TRUE(m.try_lock_shared());
  m.unlock_shared();
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

MATRIX_TEST(SharedTimedMutex, TimeoutsRacingUnlocksLoseNothing_RW02) {
  shared_timed_mutex m;
  std::atomic<int> activity{0};
  wait_group all;
  for (int g = 0; g < 6; ++g)
    all.go([&, g] {
      for (int i = 0; i < scaled(200); ++i) {
        const auto patience_us = std::chrono::microseconds((i * 7 + g) % 60);
        if (g % 2 == 0) {
          if (!m.try_lock_for(patience_us)) continue;
          EXPECT_EQ(activity += 10'000, 10'000);
          if (i % 5 == 0) runnel::sleep_for(30us);
          activity -= 10'000;
          m.unlock();
        } else {
          if (!m.try_lock_shared_for(patience_us)) continue;
          EXPECT_LT(activity += 1, 10'000);
          if (i % 5 == 0) runnel::sleep_for(30us);
          activity -= 1;
          m.unlock_shared();
        }
      }
    });
  all.wait();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

// Every way to take and to share, beside each other, and the fast ones among them.
enum class way : std::uint8_t { plain, tried, timed, selected, in_context };

bool takes(shared_timed_mutex& m, way how, std::chrono::microseconds patience) {
  switch (how) {
    case way::plain:
      m.lock();
      return true;
    case way::tried:
      return m.try_lock();
    case way::timed:
      return m.try_lock_for(patience);
    case way::selected:
      return runnel::select(runnel::on_lock(m), runnel::on_timeout(patience)) == 0;
    case way::in_context:
      break;
  }
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), patience);
  return !m.lock(ctx);
}

bool shares(shared_timed_mutex& m, way how, std::chrono::microseconds patience) {
  switch (how) {
    case way::plain:
      m.lock_shared();
      return true;
    case way::tried:
      return m.try_lock_shared();
    case way::timed:
      return m.try_lock_shared_for(patience);
    case way::selected:
      return runnel::select(runnel::on_lock_shared(m), runnel::on_timeout(patience)) == 0;
    case way::in_context:
      break;
  }
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), patience);
  return !m.lock_shared(ctx);
}

void all_ways(shared_timed_mutex& m, std::atomic<int>& activity, unsigned seed, int rounds) {
  unsigned random = seed;
  for (int i = 0; i < rounds; ++i) {
    random = random * 1664525 + 1013904223;
    const auto how = static_cast<way>((random >> 10) % 8 % 5);  // the plain ways more often
    const std::chrono::microseconds patience((random >> 14) % 64);
    const bool alone = (random >> 20) % 4 == 0;
    const int weight = alone ? 10'000 : 1;
    if (!(alone ? takes(m, how, patience) : shares(m, how, patience))) continue;
    const int now = activity += weight;
    EXPECT_TRUE(alone ? now == weight : now < 10'000) << now;
    if ((random >> 23) % 4 == 0) runnel::yield();
    if ((random >> 25) % 64 == 0) runnel::sleep_for(20us);
    activity -= weight;
    alone ? m.unlock() : m.unlock_shared();
  }
}

MATRIX_TEST(SharedTimedMutex, AllWaysBesideEachOther_RW02) {
  shared_timed_mutex m;
  std::atomic<int> activity{0};
  wait_group all;
  for (unsigned g = 0; g < 8; ++g) all.go([&, g] { all_ways(m, activity, g, scaled(2000)); });
  std::vector<std::jthread> threads;
  for (unsigned t = 8; t < 10; ++t)
    threads.emplace_back([&, t] { all_ways(m, activity, t, scaled(2000)); });
  all.wait();
  threads.clear();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
  EXPECT_TRUE(m.try_lock_shared());
  m.unlock_shared();
}

// Nothing is left behind by a select that went another way, or had no time.
MATRIX_TEST(SharedMutex, AMissOfASelectKeepsNobodyOut) {
  shared_mutex m;
  m.lock_shared();
  EXPECT_EQ(runnel::select(runnel::on_lock(m), runnel::otherwise()), 1U);
  EXPECT_EQ(runnel::select(runnel::on_lock(m), runnel::on_timeout(1ms)), 1U);
  EXPECT_TRUE(m.try_lock_shared());
  m.unlock_shared();
  EXPECT_EQ(runnel::select(runnel::on_lock(m), runnel::otherwise()), 1U);
  m.lock_shared();
  m.unlock_shared();
  m.unlock_shared();
  EXPECT_TRUE(m.try_lock());
  EXPECT_EQ(runnel::select(runnel::on_lock_shared(m), runnel::otherwise()), 1U);
  m.unlock();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

// A reader that finds it closed by a select that is gone meets the last reader, who is about to pass it on.
MATRIX_TEST(SharedMutex, MissesOfSelectsAmongReaders_RW02) {
  shared_mutex m;
  std::atomic<int> activity{0};
  std::atomic<bool> enough{false};
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      while (!enough) {
        const std::shared_lock lock(m);
        EXPECT_LT(activity += 1, 10'000);
        activity -= 1;
      }
    });
  for (int i = 0; i < scaled(100'000); ++i) {
    if (runnel::select(runnel::on_lock(m), runnel::otherwise()) != 0) continue;
    EXPECT_EQ(activity += 10'000, 10'000);
    activity -= 10'000;
    m.unlock();
  }
  enough = true;
  all.wait();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

MATRIX_TEST(SharedTimedMutex, StandardLocksWorkWithIt) {
  shared_timed_mutex m;
  {
    const std::unique_lock lock(m, 1ms);
    EXPECT_TRUE(lock.owns_lock());
    const std::shared_lock reader(m, 1ms);
    EXPECT_FALSE(reader.owns_lock());
  }
  const std::shared_lock reader(m, 1ms);
  EXPECT_TRUE(reader.owns_lock());
}

}  // namespace
