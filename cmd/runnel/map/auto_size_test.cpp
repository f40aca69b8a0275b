// The number of workers, found on simulated throughput curves.
#include "map/auto_size.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

namespace runnel_cli {
namespace {

using curve = std::function<double(int)>;

curve saturating_at(int top) {
  return [top](int n) { return 10.0 * std::min(n, top); };
}

curve falling_after(int top) {
  return [top](int n) { return n <= top ? 10.0 * n : std::max(1.0, 10.0 * top - 5.0 * (n - top)); };
}

// Gaussian noise of 3 %; the Box-Muller formula by hand gives the same numbers everywhere.
class noise {
 public:
  explicit noise(unsigned seed) : random_(seed) {}
  double operator()() {
    const double u = (random_() + 1.0) / 4294967296.0;
    const double v = random_() / 4294967296.0;
    return 1 + 0.03 * std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
  }

 private:
  std::mt19937 random_;
};

// The sizes it asks for in `windows` windows.
std::vector<int> run(
    size_controller& control, const curve& rate, int windows,
    const std::function<double()>& factor = [] { return 1.0; }) {
  std::vector<int> sizes;
  for (int i = 0; i < windows; ++i) {
    sizes.push_back(control.next(rate(control.size()) * factor(), true));
  }
  return sizes;
}

// The size it keeps to, trials aside: the median of the last 60.
int settled(const std::vector<int>& sizes) {
  std::vector<int> last(sizes.end() - 60, sizes.end());
  std::ranges::sort(last);
  return last[last.size() / 2];
}

TEST(AutoSize, SettlesWhereThroughputStopsRising) {
  for (const int start : {1, 2, 8, 11, 64}) {
    size_controller control(1, 64, start);
    EXPECT_EQ(settled(run(control, saturating_at(8), 200)), 8) << "from " << start;
  }
}

TEST(AutoSize, SettlesAtTheTopOfACurveThatFallsAfterIt) {
  for (const int start : {1, 4, 8, 32}) {
    size_controller control(1, 32, start);
    EXPECT_EQ(settled(run(control, falling_after(4), 200)), 4) << "from " << start;
  }
}

TEST(AutoSize, ClimbsToALargeSizeInFewWindows) {
  size_controller control(1, 1000, 2);
  const int reached = settled(run(control, saturating_at(200), 150));
  EXPECT_GE(reached, 190);
  EXPECT_LE(reached, 225);
}

TEST(AutoSize, SettlesNearTheTopDespiteNoise) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    size_controller saturated(1, 64, 2);
    EXPECT_NEAR(settled(run(saturated, saturating_at(8), 300, noise(seed))), 8, 2) << seed;
    size_controller falling(1, 64, 2);
    EXPECT_NEAR(settled(run(falling, falling_after(4), 300, noise(seed))), 4, 1) << seed;
  }
}

TEST(AutoSize, FollowsACurveThatChanges) {
  size_controller control(1, 64, 4);
  EXPECT_EQ(settled(run(control, saturating_at(8), 200)), 8);
  EXPECT_NEAR(settled(run(control, saturating_at(20), 300)), 20, 2);
  EXPECT_EQ(settled(run(control, falling_after(4), 200)), 4);
}

TEST(AutoSize, NoticesRoomAboveThatTheThroughputDoesNotShow) {
  size_controller control(1, 64, 4);
  run(control, saturating_at(8), 200);
  ASSERT_EQ(control.size(), 8);
  const std::vector<int> sizes = run(control, saturating_at(16), 100);  // the same rate at 8
  EXPECT_NEAR(settled(sizes), 16, 2);
}

TEST(AutoSize, MostlyRestsOnceItHasSettled) {
  size_controller control(1, 64, 4);
  run(control, saturating_at(8), 200);
  const std::vector<int> sizes = run(control, saturating_at(8), 400);
  EXPECT_GE(std::ranges::count(sizes, 8), 340);
  EXPECT_LT(std::ranges::count(sizes, 8), 400);  // but looks around now and then
}

TEST(AutoSize, FewerWorkersAreBetterWhenTheyDoNotMatter) {
  size_controller control(2, 64, 16);
  EXPECT_EQ(settled(run(
                control, [](int) { return 50.0; }, 200)),
            2);
}

TEST(AutoSize, NeverLeavesItsBounds) {
  size_controller rising(3, 12, 5);
  for (const int n : run(
           rising, [](int n) { return 1.0 * n; }, 200)) {
    EXPECT_GE(n, 3);
    EXPECT_LE(n, 12);
  }
  EXPECT_EQ(rising.size(), 12);
  size_controller falling(3, 12, 5);
  for (const int n : run(
           falling, [](int n) { return 1.0 / n; }, 200)) {
    EXPECT_GE(n, 3);
    EXPECT_LE(n, 12);
  }
  EXPECT_EQ(settled(run(
                falling, [](int n) { return 1.0 / n; }, 60)),
            3);
}

TEST(AutoSize, TakesOddBounds) {
  EXPECT_EQ(size_controller(4, 4, 9).size(), 4);
  EXPECT_EQ(size_controller(0, 0, 0).size(), 1);
  EXPECT_EQ(size_controller(8, 2, 1).size(), 8);
  size_controller fixed(4, 4, 4);
  for (const int n : run(fixed, saturating_at(64), 50)) EXPECT_EQ(n, 4);
}

TEST(AutoSize, GoesDownWhileWorkersAreIdleAndUpAgainAfterwards) {
  size_controller control(2, 64, 40);
  int last = control.size();
  for (int i = 0; i < 100; ++i) {
    const int n = control.next(7, false);
    EXPECT_LE(n, last);
    last = n;
  }
  EXPECT_EQ(last, 2);
  EXPECT_EQ(settled(run(control, saturating_at(8), 200)), 8);
}

TEST(AutoSize, KeepsOnlyAsManyWorkersAsTheInputKeepsBusy) {
  // The input brings 55 jobs a second, which six workers can do; an idle worker shows.
  size_controller control(1, 64, 30);
  std::vector<int> sizes;
  for (int i = 0; i < 300; ++i) {
    const double could = 10.0 * control.size();
    sizes.push_back(control.next(std::min(could, 55.0), could <= 55));
  }
  EXPECT_NEAR(settled(sizes), 5, 1);
}

TEST(AutoSize, AWindowInWhichNothingEndedSaysNothing) {
  size_controller control(1, 64, 6);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(control.next(0, true), 6);
    EXPECT_EQ(control.next(std::numeric_limits<double>::quiet_NaN(), true), 6);
    EXPECT_EQ(control.next(std::numeric_limits<double>::infinity(), true), 6);
  }
}

TEST(AutoSize, IsDeterministic) {
  size_controller one(1, 64, 2);
  size_controller other(1, 64, 2);
  EXPECT_EQ(run(one, saturating_at(8), 200, noise(7)), run(other, saturating_at(8), 200, noise(7)));
}

}  // namespace
}  // namespace runnel_cli
