// The number of a worker, {%}: the smallest one that no other job has at the time.
#pragma once
#include <functional>
#include <mutex>
#include <queue>
#include <vector>

#include <runnel/mutex.hpp>

namespace runnel_cli {

/// Any number of goroutines may use it at once.
class worker_numbers {
 public:
  int take() {
    const std::lock_guard lock(mu_);
    if (free_.empty()) return ++highest_;
    const int number = free_.top();
    free_.pop();
    return number;
  }
  void give_back(int number) {
    const std::lock_guard lock(mu_);
    free_.push(number);
  }

 private:
  runnel::mutex mu_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
  int highest_ = 0;
};

}  // namespace runnel_cli
