// Many goroutines parked on one channel, all woken by its close.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>

#include "../support/matrix.hpp"

namespace runnel_test {

class crowd {
 public:
  /// Starts `n` goroutines, and waits up to `limit` until all are there.
  crowd(long n, std::chrono::nanoseconds limit) : n_(n) {
    for (long i = 0; i < n; ++i)
      runnel::go([this, gate = gate_] {
        ++parked_;
        gate.recv();
        ++left_;
      });
    EXPECT_TRUE(eventually([&] { return parked_ == n_; }, limit));
  }

  /// Closes the channel, and waits up to `limit` until all have gone on.
  void wake(std::chrono::nanoseconds limit) {
    gate_.close();
    EXPECT_TRUE(eventually([&] { return left_ == n_; }, limit));
  }

 private:
  const long n_;
  const runnel::chan<void> gate_;
  std::atomic<long> parked_{0};
  std::atomic<long> left_{0};
};

}  // namespace runnel_test
