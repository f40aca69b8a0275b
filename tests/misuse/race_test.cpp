// Under the race detector: what orders nothing is reported, and what does is not. Elsewhere there is nothing to see.
#include <gtest/gtest.h>

#include <string>

#include <runnel/detail/config.hpp>

#include "../support/child.hpp"

namespace {

using namespace runnel_test;

void expect_race(const std::string& scenario) {
  if (RUNNEL_TSAN == 0) GTEST_SKIP() << "without a race detector";
  const child_result r = run_program("races", scenario);
  EXPECT_NE(r.code, 0) << r.describe();
  EXPECT_FALSE(r.timed_out);
  EXPECT_ERR_HAS(r, "data race");
}

TEST(Race, NoneWhereALockIsHeld) {
  const child_result r = run_program("races", "none");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "done\n");
  EXPECT_EQ(r.err, "");
}
TEST(Race, ASendIntoABufferDoesNotWaitForItsReceive) {
  expect_race("buffered_send_does_not_wait_for_its_receive");
}
TEST(Race, TheLengthOfAChannelOrdersNothing) {
  expect_race("length_seen_to_grow");
  expect_race("length_seen_to_shrink");
}
TEST(Race, TwoSendersAreNotOrdered) { expect_race("two_senders"); }
TEST(Race, AHandleIsAVariableLikeOthers) { expect_race("handle_overwritten"); }
TEST(Race, AfterUnlockingNothingIsOrdered) { expect_race("after_unlocking"); }
TEST(Race, TwoLocksDoNotOrderEachOther) { expect_race("two_locks"); }
TEST(Race, ReadersAreNotOrderedAmongThemselves) { expect_race("two_readers"); }
TEST(Race, AWaitGroupIsNoLock) { expect_race("wait_group_as_a_lock"); }
TEST(Race, CallbacksAreNotOrderedAmongThemselves) { expect_race("two_callbacks"); }
TEST(Race, TheEndOfAGoroutineIsBeforeNothing) { expect_race("end_of_a_goroutine"); }

}  // namespace
