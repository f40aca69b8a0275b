// singleflight: one run for all concurrent callers of a key.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::wait_group;

MATRIX_TEST(Singleflight, ReturnsTheValue_OP01) {
  runnel::singleflight<std::string, int> flights;
  EXPECT_EQ(flights.call("key", [] { return 7; }), 7);
  EXPECT_EQ(flights.call("key", [] { return 8; }), 8) << "nothing is cached once a call has ended";
}

MATRIX_TEST(Singleflight, ConcurrentCallersShareOneRun_OP01) {
  runnel::singleflight<std::string, std::string> flights;
  std::atomic<int> runs{0};
  std::atomic<int> started{0};
  runnel::chan<void> finish;
  wait_group all;
  for (int i = 0; i < 10; ++i)
    all.go([&] {
      ++started;
      EXPECT_EQ(flights.call("key",
                             [&] {
                               ++runs;
                               finish.recv();
                               return std::string("bar");
                             }),
                "bar");
    });
  EXPECT_TRUE(eventually([&] { return runs >= 1 && started == 10; }));
  for (int i = 0; i < 20; ++i)
    runnel::yield();  // lets the others arrive; the claim does not depend on it
  EXPECT_EQ(runs, 1);
  finish.close();
  all.wait();
  EXPECT_LT(runs, 10);
}

MATRIX_TEST(Singleflight, KeysAreIndependent_OP01) {
  runnel::singleflight<int, int> flights;
  runnel::chan<void> inside;
  runnel::chan<void> finish;
  wait_group all;
  all.go([&] {
    EXPECT_EQ(flights.call(1,
                           [&] {
                             inside.send();
                             finish.recv();
                             return 1;
                           }),
              1);
  });
  inside.recv();
  EXPECT_EQ(flights.call(2, [] { return 2; }), 2);
  finish.send();
  all.wait();
}

MATRIX_TEST(Singleflight, ForgetStartsASecondRun_OP02) {
  runnel::singleflight<std::string, int> flights;
  runnel::chan<void> inside;
  runnel::chan<void> finish_first;
  runnel::chan<void> finish_second;
  wait_group all;
  all.go([&] {
    EXPECT_EQ(flights.call("key",
                           [&] {
                             inside.send();
                             finish_first.recv();
                             return 1;
                           }),
              1);
  });
  inside.recv();
  flights.forget("key");
  all.go([&] {
    EXPECT_EQ(flights.call("key",
                           [&] {
                             inside.send();
                             finish_second.recv();
                             return 2;
                           }),
              2);
  });
  inside.recv();  // the second really runs
  finish_first.send();
  runnel::chan<int> third(1);
  all.go([&] { third.send(flights.call("key", [] { return 3; })); });
  EXPECT_TRUE(third.recv_for(5ms).timed_out()) << "the end of the first must not forget the second";
  finish_second.send();
  EXPECT_EQ(third.recv(), 2);
  all.wait();
  flights.forget("no such key");
}

MATRIX_TEST(Singleflight, AnExceptionGoesToAll_PA17) {
  runnel::singleflight<std::string, int> flights;
  std::atomic<int> runs{0};
  std::atomic<int> caught{0};
  runnel::chan<void> finish;
  wait_group all;
  for (int i = 0; i < 5; ++i)
    all.go([&] {
      try {
        flights.call("key", [&]() -> int {
          ++runs;
          finish.recv();
          throw std::runtime_error("invalid memory");
        });
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "invalid memory");
        ++caught;
      }
    });
  EXPECT_TRUE(eventually([&] { return runs >= 1; }));
  finish.close();
  all.wait();
  EXPECT_EQ(caught, 5);
  EXPECT_EQ(flights.call("key", [] { return 1; }), 1) << "the failed run is forgotten";
}

MATRIX_TEST_THREAD(Singleflight, WorksOnAPlainThread_OP01) {
  runnel::singleflight<int, int> flights;
  for (int i = 0; i < 100; ++i) {
    wait_group all;
    all.go([&] { EXPECT_EQ(flights.call(1, [] { return 5; }), 5); });
    EXPECT_EQ(flights.call(1, [] { return 5; }), 5);
    all.wait();
  }
}

}  // namespace
