// What the tests of worker pools share.
#pragma once
#include <atomic>
#include <runnel/chan.hpp>
#include <runnel/worker_pool.hpp>

namespace runnel_test {

/// What tasks wait at until the test lets them through.
class gate {
 public:
  gate() = default;
  gate(const gate&) = delete;
  gate& operator=(const gate&) = delete;

  void pass() const { closed_.recv(); }
  void open() const { closed_.close(); }

 private:
  runnel::chan<void> closed_;
};

/// How many are inside at once, and how many were at most.
class counter_of_running {
 public:
  class inside {
   public:
    explicit inside(counter_of_running& c) : counter_(c) {
      const int now = ++counter_.now_;
      for (int seen = counter_.most_;
           now > seen && !counter_.most_.compare_exchange_weak(seen, now);) {
      }
    }
    inside(const inside&) = delete;
    inside& operator=(const inside&) = delete;
    ~inside() { --counter_.now_; }

   private:
    counter_of_running& counter_;
  };

  [[nodiscard]] inside enter() { return inside(*this); }
  int now() const { return now_; }
  int most() const { return most_; }

 private:
  std::atomic<int> now_{0};
  std::atomic<int> most_{0};
};

inline bool adds_up(const runnel::pool_stats& s) {
  return s.added == s.done + s.failed + s.dropped + s.queued + s.running;
}

}  // namespace runnel_test
