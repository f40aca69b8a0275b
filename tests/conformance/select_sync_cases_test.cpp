// Cases beyond channels: locks, semaphores, wait groups, futures and descriptors in a select.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::mutex;
using runnel::on_acquire;
using runnel::on_lock;
using runnel::on_readable;
using runnel::on_ready;
using runnel::on_recv;
using runnel::on_timeout;
using runnel::on_wait;
using runnel::on_writable;
using runnel::otherwise;
using runnel::select;
using runnel::semaphore;
using runnel::wait_group;

MATRIX_TEST(SelectLock, TakesAFreeMutex) {
  mutex m;
  bool held = false;
  EXPECT_EQ(select(on_lock(m, [&] { held = !m.try_lock(); }), otherwise()), 0U);
  EXPECT_TRUE(held);
  EXPECT_EQ(select(on_lock(m), otherwise()), 1U);
  m.unlock();
  EXPECT_EQ(select(on_lock(m), otherwise()), 0U);
  m.unlock();
}

MATRIX_TEST(SelectLock, WaitsForItsTurnAndGivesUp) {
  mutex m;
  m.lock();
  const stopwatch watch;
  EXPECT_EQ(select(on_lock(m), on_timeout(10ms, [] {})), 1U);
  EXPECT_GE(watch.elapsed(), 10ms);
  wait_group all;
  all.go([&] {
    EXPECT_EQ(select(on_lock(m), on_timeout(1h, [] {})), 0U);
    m.unlock();
  });
  EXPECT_TRUE(until_blocked("select"));
  m.unlock();
  all.wait();
  EXPECT_TRUE(m.try_lock()) << "the case that lost must not keep the lock";
  m.unlock();
}

// Whoever loses the race for the lock leaves it free; whoever wins has it alone.
MATRIX_TEST(SelectLock, ALosingCaseNeverKeepsTheLock) {
  mutex m;
  std::atomic<int> inside{0};
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < scaled(300); ++i) {
        runnel::chan<int> c(1);
        if (i % 3 == 0) runnel::go([c] { c.send(1); });
        const auto locked = [&] {
          EXPECT_EQ(++inside, 1);
          if (i % 4 == 0) runnel::yield();
          --inside;
          m.unlock();
        };
        select(on_lock(m, locked), on_recv(c));
      }
    });
  all.wait();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

MATRIX_TEST(SelectLock, OfTwoMutexesItTakesOne) {
  mutex a;
  mutex b;
  b.lock();
  EXPECT_EQ(select(on_lock(a), on_lock(b)), 0U);
  EXPECT_FALSE(a.try_lock());
  b.unlock();
  EXPECT_EQ(select(on_lock(a), on_lock(b)), 1U);
  a.unlock();
  b.unlock();
}

MATRIX_TEST(SelectAcquire, TakesTheUnitsWhenTheyAreThere) {
  semaphore s(3);
  bool ran = false;
  EXPECT_EQ(select(on_acquire(s, 2, [&] { ran = true; }), otherwise()), 0U);
  EXPECT_TRUE(ran);
  EXPECT_EQ(select(on_acquire(s, 2, [] {}), otherwise()), 1U);
  EXPECT_EQ(select(on_acquire(s, 1, [] {}), otherwise()), 0U);
  s.release(3);
}

MATRIX_TEST(SelectAcquire, WaitsForItsTurn) {
  semaphore s(2);
  s.acquire(2);
  EXPECT_EQ(select(on_acquire(s, 1, [] {}), on_timeout(5ms, [] {})), 1U);
  wait_group all;
  all.go([&] {
    EXPECT_EQ(select(on_acquire(s, 2, [] {}), on_timeout(1h, [] {})), 0U);
    s.release(2);
  });
  EXPECT_TRUE(until_blocked("select"));
  s.release(1);
  s.release(1);
  all.wait();
  EXPECT_TRUE(s.try_acquire(2));
}

// A big request that leaves the queue must let a small one behind it pass.
MATRIX_TEST(SelectAcquire, GivingUpLetsThoseBehindPass_SM07) {
  semaphore s(10);
  s.acquire(5);
  runnel::chan<void> give_up;
  wait_group all;
  all.go([&] { EXPECT_EQ(select(on_acquire(s, 10, [] {}), on_recv(give_up)), 1U); });
  EXPECT_TRUE(until_blocked("select"));
  all.go([&] {
    s.acquire(2);
    s.release(2);
  });
  EXPECT_TRUE(until_blocked("semacquire"));
  give_up.send();
  all.wait();
  s.release(5);
  EXPECT_TRUE(s.try_acquire(10));
}

MATRIX_TEST(SelectAcquire, ALosingCaseKeepsNoUnits) {
  semaphore s(2);
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < scaled(300); ++i) {
        const int n = 1 + i % 2;
        runnel::chan<int> c(1);
        if (i % 3 == 0) runnel::go([c] { c.send(1); });
        select(on_acquire(s, n,
                          [&] {
                            if (i % 4 == 0) runnel::yield();
                            s.release(n);
                          }),
               on_recv(c));
      }
    });
  all.wait();
  EXPECT_TRUE(s.try_acquire(2));
  s.release(2);
}

MATRIX_TEST(SelectWait, IsReadyWhenTheGroupIsDone) {
  wait_group wg;
  bool ran = false;
  EXPECT_EQ(select(on_wait(wg, [&] { ran = true; }), otherwise()), 0U);
  EXPECT_TRUE(ran);
  wg.add(1);
  EXPECT_EQ(select(on_wait(wg, [] {}), otherwise()), 1U);
  EXPECT_EQ(select(on_wait(wg, [] {}), on_timeout(5ms, [] {})), 1U);
  wait_group all;
  all.go([&] { EXPECT_EQ(select(on_wait(wg, [] {}), on_timeout(1h, [] {})), 0U); });
  EXPECT_TRUE(until_blocked("select"));
  wg.done();
  all.wait();
}

MATRIX_TEST(SelectWait, MayBeDestroyedOnceTheSelectHasReturned) {
  for (int i = 0; i < scaled(2000); ++i) {
    auto wg = std::make_unique<wait_group>();
    wg->add(1);
    runnel::chan<void> never;
    runnel::go([p = wg.get()] { p->done(); });
    if (i % 2 == 0) runnel::yield();
    EXPECT_EQ(select(on_wait(*wg, [] {}), on_recv(never)), 0U);
    wg.reset();
  }
}

MATRIX_TEST(SelectReady, IsReadyWhenTheFutureHasItsResult) {
  runnel::chan<void> finish;
  auto f = runnel::async([=] {
    finish.recv();
    return std::string("result");
  });
  EXPECT_EQ(select(on_ready(f, [] {}), otherwise()), 1U);
  EXPECT_EQ(select(on_ready(f, [] {}), on_timeout(5ms, [] {})), 1U);
  finish.send();
  std::string got;
  EXPECT_EQ(select(on_ready(f, [&] { got = f.get(); }), on_timeout(1h, [] {})), 0U);
  EXPECT_EQ(got, "result");
}

MATRIX_TEST(SelectReady, AlsoWhenItHasAnException) {
  auto f = runnel::async([]() -> int { throw std::runtime_error("x"); });
  EXPECT_EQ(select(on_ready(f, [] {}), on_timeout(1h, [] {})), 0U);
  EXPECT_THROW(f.get(), std::runtime_error);
}

MATRIX_TEST(SelectReady, TheFirstOfSeveralFutures) {
  runnel::chan<void> never;
  auto slow = runnel::async([=] { never.recv(); });
  auto quick = runnel::async([] { return 1; });
  EXPECT_EQ(select(on_ready(slow, [] {}), on_ready(quick, [] {})), 1U);
  never.close();
  slow.wait();
}

MATRIX_TEST(SelectReadable, IsReadyWhenThereIsInput) {
  const pipe_ends p;
  EXPECT_EQ(select(on_readable(p.read_end(), [] {}), otherwise()), 1U);
  EXPECT_EQ(select(on_readable(p.read_end(), [] {}), on_timeout(5ms, [] {})), 1U);
  p.put('a');
  bool ran = false;
  EXPECT_EQ(select(on_readable(p.read_end(), [&] { ran = true; }), on_timeout(10s, [] {})), 0U);
  EXPECT_TRUE(ran);
  EXPECT_EQ(p.take(), 'a');
}

MATRIX_TEST(SelectReadable, WakesAParkedSelect) {
  const pipe_ends p;
  runnel::chan<int> c;
  wait_group all;
  all.go([&] {
    EXPECT_EQ(select(on_recv(c), on_readable(p.read_end(), [&] { EXPECT_EQ(p.take(), 'b'); })), 1U);
  });
  EXPECT_TRUE(until_blocked("select"));
  p.put('b');
  all.wait();
}

MATRIX_TEST(SelectReadable, ALosingCaseLeavesTheDescriptorUsable) {
  const pipe_ends p;
  for (int i = 0; i < scaled(100); ++i) {
    runnel::chan<int> c;
    runnel::go([=] { c.send(1); });
    EXPECT_EQ(select(on_recv(c), on_readable(p.read_end(), [] {})), 0U);
    p.put('c');
    EXPECT_EQ(select(on_recv(c), on_readable(p.read_end(), [&] { EXPECT_EQ(p.take(), 'c'); })), 1U);
  }
}

MATRIX_TEST(SelectWritable, IsReadyWhenThereIsRoom) {
  const pipe_ends p;
  bool ran = false;
  EXPECT_EQ(select(on_writable(p.write_end(), [&] { ran = true; }), on_timeout(10s, [] {})), 0U);
  EXPECT_TRUE(ran);
  p.fill();
  EXPECT_EQ(select(on_writable(p.write_end(), [] {}), on_timeout(5ms, [] {})), 1U);
  wait_group all;
  all.go([&] { EXPECT_EQ(select(on_writable(p.write_end(), [] {}), on_timeout(1h, [] {})), 0U); });
  EXPECT_TRUE(until_blocked("select"));
  p.drain();
  all.wait();
}

MATRIX_TEST(SelectMixed, EveryKindInOneSelect) {
  mutex m;
  m.lock();
  semaphore s(1);
  s.acquire();
  wait_group wg;
  wg.add(1);
  runnel::chan<void> finish;
  auto f = runnel::async([=] { finish.recv(); });
  const pipe_ends p;
  runnel::chan<int> c;
  const auto wait = [&] {
    return select(on_lock(m), on_acquire(s, 1, [] {}), on_wait(wg, [] {}), on_ready(f, [] {}),
                  on_readable(p.read_end(), [] {}), on_recv(c), on_timeout(10s, [] {}));
  };
  runnel::chan<std::size_t> picked;
  const auto expect = [&](std::size_t index, auto trigger) {
    runnel::go([&] { picked.send(wait()); });
    EXPECT_TRUE(until_blocked("select"));
    trigger();
    EXPECT_EQ(picked.recv(), index);
  };
  expect(0, [&] { m.unlock(); });
  expect(1, [&] { s.release(); });
  expect(5, [&] { c.send(1); });
  expect(4, [&] { p.put('x'); });
  EXPECT_EQ(p.take(), 'x');
  expect(3, [&] { finish.send(); });
  f.get();
  wg.done();
}

MATRIX_TEST_THREAD(SelectMixed, WorksOnAPlainThread) {
  mutex m;
  m.lock();
  semaphore s(1);
  s.acquire();
  EXPECT_EQ(select(on_lock(m), on_acquire(s, 1, [] {}), on_timeout(5ms, [] {})), 2U);
  runnel::go([&] { s.release(); });
  EXPECT_EQ(select(on_lock(m), on_acquire(s, 1, [] {}), on_timeout(10s, [] {})), 1U);
  const pipe_ends p;
  wait_group writer;  // it is readable before write() has returned
  writer.go([&] { p.put('t'); });
  EXPECT_EQ(select(on_lock(m), on_readable(p.read_end(), [] {}), on_timeout(10s, [] {})), 1U);
  writer.wait();
}

}  // namespace
