// When a run stops.
#include "map/halt.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "command.hpp"

namespace runnel_cli {
namespace {

job_result ended(outcome how) {
  job_result result;
  result.how = how;
  return result;
}

const job_result good = ended(outcome::succeeded);
const job_result bad = ended(outcome::failed);
const job_result cancelled = ended(outcome::cancelled);

std::string complaint(const std::string& text) {
  try {
    (void)halt_policy::parse(text);
  } catch (const usage_error& e) {
    return e.what();
  }
  return "";
}

// How many results like `result` it takes; 0: a thousand are not enough.
int results_until_reached(const std::string& text, const job_result& result) {
  halt_policy policy = halt_policy::parse(text);
  for (int n = 1; n <= 1000; ++n) {
    if (policy.after(result) != halt_when::never) return n;
  }
  return 0;
}

TEST(Halt, NeverNeverStops) {
  EXPECT_EQ(results_until_reached("never", bad), 0);
  EXPECT_EQ(results_until_reached("never", good), 0);
  halt_policy none;
  EXPECT_EQ(none.after(bad), halt_when::never);
  EXPECT_FALSE(none.reached());
  EXPECT_EQ(none.why(), "");
}

TEST(Halt, WithoutAConditionTheFirstFailureIsEnough) {
  for (const char* text : {"soon", "now"}) {
    EXPECT_EQ(results_until_reached(text, bad), 1) << text;
    EXPECT_EQ(results_until_reached(text, good), 0) << text;
  }
}

TEST(Halt, SaysSoonOrNowAsAsked) {
  EXPECT_EQ(halt_policy::parse("soon,fail=1").after(bad), halt_when::soon);
  EXPECT_EQ(halt_policy::parse("now,fail=1").after(bad), halt_when::now);
}

TEST(Halt, CountsOnlyWhatTheConditionNames) {
  halt_policy policy = halt_policy::parse("now,fail=2");
  EXPECT_EQ(policy.after(bad), halt_when::never);
  EXPECT_EQ(policy.after(good), halt_when::never);
  EXPECT_EQ(policy.after(bad), halt_when::now);
  EXPECT_EQ(results_until_reached("now,success=3", good), 3);
  EXPECT_EQ(results_until_reached("now,success=3", bad), 0);
  EXPECT_EQ(results_until_reached("now,done=4", good), 4);
  EXPECT_EQ(results_until_reached("now,done=4", bad), 4);
}

TEST(Halt, EveryWayOfNotSucceedingIsAFailureButACancelledJobCountsForNothing) {
  EXPECT_EQ(results_until_reached("soon", ended(outcome::timed_out)), 1);
  EXPECT_EQ(results_until_reached("soon", ended(outcome::not_started)), 1);
  EXPECT_EQ(results_until_reached("soon,fail=1", cancelled), 0);
  EXPECT_EQ(results_until_reached("soon,success=1", cancelled), 0);
  EXPECT_EQ(results_until_reached("soon,done=1", cancelled), 0);
}

TEST(Halt, StaysReachedAndCountsNoFurther) {
  halt_policy policy = halt_policy::parse("soon,fail=1");
  (void)policy.after(bad);
  EXPECT_EQ(policy.after(good), halt_when::soon);
  EXPECT_EQ(policy.after(bad), halt_when::soon);
  EXPECT_EQ(policy.after(cancelled), halt_when::soon);
  EXPECT_TRUE(policy.reached());
  EXPECT_EQ(policy.why(), "1 job failed (--halt soon,fail=1)");
}

TEST(Halt, AShareNeedsThreeOfTheKind) {
  EXPECT_EQ(results_until_reached("now,fail=10%", bad), 3);
  EXPECT_EQ(results_until_reached("now,success=10%", good), 3);
}

TEST(Halt, AShareIsOfTheJobsThatHaveEnded) {
  halt_policy policy = halt_policy::parse("now,fail=30%");
  for (int i = 0; i < 7; ++i) (void)policy.after(good);
  (void)policy.after(bad);
  EXPECT_EQ(policy.after(bad), halt_when::never);
  EXPECT_EQ(policy.after(cancelled), halt_when::never);
  EXPECT_EQ(policy.after(bad), halt_when::now);
  EXPECT_EQ(policy.why(), "3 of 10 jobs failed (--halt now,fail=30%)");
}

TEST(Halt, AShareBelowTheLimitGoesOn) {
  halt_policy policy = halt_policy::parse("now,fail=30%");
  for (int i = 0; i < 8; ++i) (void)policy.after(good);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(policy.after(bad), halt_when::never);
  EXPECT_EQ(policy.after(bad), halt_when::now);
}

TEST(Halt, AShareOfAllJobsWaitsForTheTotal) {
  halt_policy policy = halt_policy::parse("soon,done=50%");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(policy.after(good), halt_when::never);
  policy.set_total(10);
  EXPECT_EQ(policy.after(bad), halt_when::soon);
  EXPECT_EQ(policy.why(), "5 of 10 jobs ended (--halt soon,done=50%)");
}

TEST(Halt, OnlySuccessMakesTheRunASuccess) {
  for (const auto& [text, expected] :
       {std::pair{"now,success=1", true}, {"now,fail=1", false}, {"now,done=1", false}}) {
    halt_policy policy = halt_policy::parse(text);
    EXPECT_FALSE(policy.success_reached()) << text;
    (void)policy.after(expected ? good : bad);
    EXPECT_TRUE(policy.reached()) << text;
    EXPECT_EQ(policy.success_reached(), expected) << text;
  }
}

TEST(Halt, KnowsTheOldFormsOfGnuParallel) {
  EXPECT_EQ(results_until_reached("0", bad), 0);
  EXPECT_EQ(halt_policy::parse("1").after(bad), halt_when::soon);
  EXPECT_EQ(halt_policy::parse("2").after(bad), halt_when::now);
  EXPECT_EQ(halt_policy::parse("-1").after(good), halt_when::soon);
  EXPECT_EQ(halt_policy::parse("-2").after(good), halt_when::now);
  EXPECT_EQ(results_until_reached("20%", bad), 3);
}

TEST(Halt, SaysWhatWasMeant) {
  EXPECT_NE(complaint("son,fail=1").find("did you mean 'soon'"), std::string::npos);
  EXPECT_NE(complaint("now,fial=1").find("did you mean 'fail'"), std::string::npos);
  EXPECT_NE(complaint("now,fail=x").find("as in 'fail=3'"), std::string::npos);
  EXPECT_NE(complaint("now,success").find("as in 'success=3'"), std::string::npos);
  EXPECT_NE(complaint("never,fail=1").find("no effect"), std::string::npos);
  EXPECT_NE(complaint("now,fail=101%").find("more than 100%"), std::string::npos);
}

TEST(Halt, RefusesWhatIsNotAPolicy) {
  for (const char* text :
       {"", "3", "-3", "x", "%", ",fail=1", "now,", "now,fail=", "now,fail=0", "now,fail=0%",
        "now,fail=-1", "now,fail=1.5", "now,fail=1,done=2", "now,fail=%", "now fail=1", "NOW", "0%",
        "101%", "now,fail=99999999999999999999"}) {
    EXPECT_NE(complaint(text).find("--halt: '" + std::string(text) + "'"), std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace runnel_cli
