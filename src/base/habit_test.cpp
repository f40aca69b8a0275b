#include <gtest/gtest.h>

#include "base/habit.hpp"

namespace {

using some_habit = runnel::detail::habit<7>;

// How many of the next occasions go by without a try.
int skipped(some_habit& habit) {
  int n = 0;
  while (!habit.worth_trying()) ++n;
  return n;
}

TEST(Habit, TriesSeldomWhatIsAlwaysInVainAndAtOnceAgainWhenItIsNot) {
  some_habit habit;
  EXPECT_EQ(skipped(habit), 0);
  for (const int expected : {1, 3, 7, 7, 7}) {
    habit.tried(false);
    EXPECT_EQ(skipped(habit), expected);
  }
  habit.tried(true);
  EXPECT_EQ(skipped(habit), 0);
  habit.tried(false);
  EXPECT_EQ(skipped(habit), 1);
}

}  // namespace
