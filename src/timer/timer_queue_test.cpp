// White box: the order of timers, where they are many enough for the wheels.
#include "timer/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace runnel::detail;

struct test_node : timer_node {
  test_node() : timer_node(true) {}
};

// The queue beside a map that does the same.
class both {
 public:
  explicit both(std::uint64_t seed) : random_(seed) {}

  void add(std::int64_t when) {
    auto n = std::make_unique<test_node>();
    queue_.add(*n, when);
    const auto at = model_.emplace(when, n.get());
    nodes_.push_back({std::move(n), at});
    check();
  }

  void remove_one() {
    if (nodes_.empty()) return;
    const std::size_t i = below(nodes_.size());
    queue_.remove(*nodes_[i].node);
    EXPECT_EQ(nodes_[i].node->ticket, timer_node::not_armed);
    forget(i);
    check();
  }

  // Everything due by `now`, in order.
  void pop_until(std::int64_t now) {
    while (!model_.empty() && model_.begin()->first <= now) {
      ASSERT_EQ(queue_.earliest(), model_.begin()->first);
      const std::uint32_t ticket = queue_.pop();
      timer_node* const popped = queue_.popped(ticket);
      ASSERT_EQ(popped->ticket, ticket);
      const auto which = std::find_if(nodes_.begin(), nodes_.end(),
                                      [&](const armed& a) { return a.node.get() == popped; });
      ASSERT_NE(which, nodes_.end());
      ASSERT_EQ(which->at->first, model_.begin()->first);
      forget(static_cast<std::size_t>(which - nodes_.begin()));
    }
    check();
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  std::size_t size() const { return nodes_.size(); }
  std::int64_t latest() const { return model_.empty() ? 0 : model_.rbegin()->first; }

 private:
  struct armed {
    std::unique_ptr<test_node> node;
    std::multimap<std::int64_t, timer_node*>::iterator at;
  };

  void forget(std::size_t i) {
    model_.erase(nodes_[i].at);
    std::swap(nodes_[i], nodes_.back());
    nodes_.pop_back();
  }

  void check() { ASSERT_EQ(queue_.earliest(), model_.empty() ? never : model_.begin()->first); }

  timer_queue queue_;
  std::multimap<std::int64_t, timer_node*> model_;
  std::vector<armed> nodes_;
  std::mt19937_64 random_;
};

constexpr std::int64_t us = 1'000;
constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t s = 1'000'000'000;
constexpr std::int64_t hour = 3600 * s;

// As many as `most` at a time, up to `ahead` from now, while time goes on; some of them are taken back.
void run_mixed(std::size_t most, std::int64_t ahead, int steps) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    both q(seed);
    std::int64_t now = 5 * s;
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      const std::uint64_t what = q.below(10);
      if (what < 6 && q.size() < most)
        q.add(now + static_cast<std::int64_t>(q.below(static_cast<std::uint64_t>(ahead))));
      else if (what < 9)
        q.remove_one();
      else
        q.pop_until(now += ahead / 1000);
    }
    q.pop_until(q.latest());
    EXPECT_EQ(q.size(), 0U);
  }
}

TEST(TimerQueue, FewAreInOrder) { run_mixed(100, 10 * ms, 20'000); }
TEST(TimerQueue, ManyInOneMillisecondAreInOrder) { run_mixed(3000, 500 * us, 20'000); }
TEST(TimerQueue, ManyWithinASecondAreInOrder) { run_mixed(3000, s, 30'000); }
TEST(TimerQueue, ManyWithinDaysAreInOrder) { run_mixed(3000, 100 * hour, 30'000); }

// From nanoseconds to the end of time, which no wheel turns to step by step.
TEST(TimerQueue, AnyDeadlinesAreInOrder) {
  both q(7);
  for (int i = 0; i < 3000; ++i)
    q.add(static_cast<std::int64_t>(1) << q.below(62) | static_cast<std::int64_t>(q.below(1000)));
  q.add(0);
  q.add(-5);
  q.add(never - 1);
  for (int i = 0; i < 500; ++i) q.remove_one();
  q.pop_until(never - 1);
  EXPECT_EQ(q.size(), 0U);
}

// A timeout for each of many connections, taken back and set anew long before it is due.
TEST(TimerQueue, ThoseThatAreTakenBackLeaveTheOthersInOrder) {
  both q(11);
  for (std::int64_t now = 0; now < 400 * s; now += 100 * ms) {
    for (int i = 0; i < 10; ++i) {
      if (q.size() >= 1500) q.remove_one();
      q.add(now + 30 * s + static_cast<std::int64_t>(q.below(1000)) * us);
    }
    q.pop_until(now);
  }
  while (q.size() > 0) q.remove_one();
}

// What comes after everything before it was taken back must not all end in the heap for good: it only has to stay right.
TEST(TimerQueue, EarlierOnesMayComeAfterLaterOnes) {
  both q(13);
  for (int i = 0; i < 1000; ++i) q.add(hour + i * ms);
  q.add(ms);
  q.pop_until(ms);
  for (int i = 0; i < 2000; ++i) q.add(s + static_cast<std::int64_t>(q.below(1000)) * ms);
  for (int i = 0; i < 1000; ++i) q.remove_one();
  q.pop_until(2 * hour);
  EXPECT_EQ(q.size(), 0U);
}

}  // namespace
