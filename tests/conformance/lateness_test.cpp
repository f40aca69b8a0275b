// What a timer, a descriptor or a plain thread wakes does not wait long for goroutines that compute and give way every
// millisecond. How long is counted in their slices, for the machine may be slow and busy.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/pipe.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;
using time_point = runnel::clock::time_point;

constexpr int tries = 15;

/// Twice as many goroutines as processors, which do nothing else.
class busy_processors {
 public:
  busy_processors() {
    for (int i = 0; i < 2 * runnel::max_procs(); ++i)
      all_.go([this] {
        while (!over_) run_slice();
      });
  }
  ~busy_processors() {
    over_ = true;
    all_.wait();
  }

  /// From `when` on the slices that begin are counted.
  void count_from(time_point when) {
    begun_ = 0;
    from_ = when;
  }
  void note() {
    seen_.push_back(begun_);
    from_ = time_point::max();
  }
  /// Most of the time. Where nothing but every 64th slice is a look at timers and descriptors, it is 30 for each processor
  /// and more.
  void expect_few() {
    std::nth_element(seen_.begin(), seen_.begin() + tries / 2, seen_.end());
    EXPECT_LE(seen_[tries / 2], 8 * runnel::max_procs());
  }

 private:
  void run_slice() {
    const time_point begin = runnel::clock::now();
    if (begin >= from_.load()) ++begun_;
    while (runnel::clock::now() - begin < 1ms) {
    }
    runnel::yield();
  }

  std::atomic<bool> over_{false};
  std::atomic<time_point> from_{time_point::max()};
  std::atomic<int> begun_{0};
  std::vector<int> seen_;
  wait_group all_;
};

MATRIX_TEST(Lateness, OfATimer) {
  busy_processors busy;
  for (int i = 0; i < tries; ++i) {
    const time_point due = runnel::clock::now() + 3ms;
    busy.count_from(due);
    runnel::sleep_until(due);
    busy.note();
  }
  busy.expect_few();
}

MATRIX_TEST(Lateness, OfADescriptor) {
  busy_processors busy;
  const pipe_ends there;
  const chan<void> back;
  wait_group reader;
  reader.go([&] {
    for (int i = 0; i < tries; ++i) {
      EXPECT_FALSE(runnel::wait_readable(there.read_end()));
      EXPECT_EQ(there.take(), 'x');
      busy.note();
      back.send();
    }
  });
  for (int i = 0; i < tries; ++i) {
    runnel::sleep_for(3ms);
    busy.count_from(runnel::clock::now());
    there.put('x');
    back.recv();
  }
  reader.wait();
  busy.expect_few();
}

MATRIX_TEST(Lateness, OfWhatAPlainThreadWakes) {
  busy_processors busy;
  const chan<void> there(1);
  const chan<void> back(1);
  std::thread waker([&] {
    for (int i = 0; i < tries; ++i) {
      std::this_thread::sleep_for(3ms);
      busy.count_from(runnel::clock::now());
      there.send();
      back.recv();
    }
  });
  for (int i = 0; i < tries; ++i) {
    there.recv();
    busy.note();
    back.send();
  }
  runnel::blocking([&] { waker.join(); });
  busy.expect_few();
}

}  // namespace
