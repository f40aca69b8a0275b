// Option values and durations for people.
#include "map/units.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

#include "command.hpp"

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

template <class F>
std::string complaint(F&& parse) {
  try {
    (void)parse();
  } catch (const usage_error& e) {
    return e.what();
  }
  return "";
}

std::string bad_duration(const std::string& text) {
  return complaint([&] { return parse_duration("--timeout", text); });
}
std::string bad_size(const std::string& text) {
  return complaint([&] { return parse_size("--block", text); });
}
std::string bad_rate(const std::string& text) {
  return complaint([&] { return parse_rate("--rate", text); });
}
std::string bad_jobs(const std::string& text) {
  return complaint([&] { return parse_jobs("--jobs", text, 4); });
}
std::string bad_load(const std::string& text) {
  return complaint([&] { return parse_load("--load", text, 4); });
}

TEST(Duration, APlainNumberIsSeconds) {
  EXPECT_EQ(parse_duration("--timeout", "10"), 10s);
  EXPECT_EQ(parse_duration("--timeout", "1.5"), 1500ms);
  EXPECT_EQ(parse_duration("--timeout", ".25"), 250ms);
  EXPECT_EQ(parse_duration("--timeout", "0"), 0s);
}

TEST(Duration, EveryUnitIsKnown) {
  EXPECT_EQ(parse_duration("--timeout", "7ns"), 7ns);
  EXPECT_EQ(parse_duration("--timeout", "7us"), 7us);
  EXPECT_EQ(parse_duration("--timeout", "250ms"), 250ms);
  EXPECT_EQ(parse_duration("--timeout", "0.1s"), 100ms);
  EXPECT_EQ(parse_duration("--timeout", "2m"), 2min);
  EXPECT_EQ(parse_duration("--timeout", "1.5h"), 90min);
  EXPECT_EQ(parse_duration("--timeout", "2d"), 48h);
}

TEST(Duration, UnitsAddUpFromTheLongestToTheShortest) {
  EXPECT_EQ(parse_duration("--timeout", "1m30s"), 90s);
  EXPECT_EQ(parse_duration("--timeout", "1d2h3m4s5ms"), 26h + 3min + 4s + 5ms);
  EXPECT_NE(bad_duration("30s1m"), "");
  EXPECT_NE(bad_duration("1s1s"), "");
  EXPECT_NE(bad_duration("1m30"), "");
}

TEST(Duration, NamesTheOptionTheTextAndWhatWouldBeRight) {
  const std::string said = bad_duration("5x");
  EXPECT_NE(said.find("--timeout: '5x' is not a duration"), std::string::npos) << said;
  EXPECT_NE(said.find("1m30s"), std::string::npos) << said;
}

TEST(Duration, RefusesWhatIsNotOne) {
  for (const char* text : {"", " ", "s", ".", "1 s", " 1", "1,5", "1e3", "inf", "nan", "+1", "0x10",
                           "1s ", "1..5", "1S", "--1"}) {
    EXPECT_NE(bad_duration(text).find("is not a duration"), std::string::npos) << text;
  }
}

TEST(Duration, SaysThatItIsNegative) {
  EXPECT_NE(bad_duration("-1").find("is negative"), std::string::npos);
  EXPECT_NE(bad_duration("-1m30s").find("is negative"), std::string::npos);
}

TEST(Duration, RefusesWhatDoesNotFit) {
  EXPECT_EQ(parse_duration("--timeout", "106000d"), 24h * 106000);
  EXPECT_NE(bad_duration("107000d").find("is too long"), std::string::npos);
  EXPECT_NE(bad_duration("106000d106000h60000000m").find("is too long"), std::string::npos);
  EXPECT_NE(bad_duration(std::string(400, '9')).find("is too long"), std::string::npos);
}

TEST(Duration, WhatIsAsGoodAsZeroIsZero) {
  EXPECT_EQ(parse_duration("--timeout", "0." + std::string(400, '0') + "1"), 0s);
}

TEST(Size, APlainNumberIsBytes) {
  EXPECT_EQ(parse_size("--block", "0"), 0U);
  EXPECT_EQ(parse_size("--block", "4096"), 4096U);
  EXPECT_EQ(parse_size("--block", "12B"), 12U);
}

TEST(Size, CapitalsAreBinaryAndSmallLettersDecimal) {
  EXPECT_EQ(parse_size("--block", "1K"), 1024U);
  EXPECT_EQ(parse_size("--block", "1k"), 1000U);
  EXPECT_EQ(parse_size("--block", "3M"), 3U << 20);
  EXPECT_EQ(parse_size("--block", "3m"), 3'000'000U);
  EXPECT_EQ(parse_size("--block", "1.5G"), 3U << 29);
  EXPECT_EQ(parse_size("--block", "2g"), 2'000'000'000U);
  EXPECT_EQ(parse_size("--block", "1T"), std::size_t{1} << 40);
  EXPECT_EQ(parse_size("--block", "1p"), std::size_t{1'000'000'000'000'000});
}

TEST(Size, ByteSuffixesFollowTheStandards) {
  EXPECT_EQ(parse_size("--block", "1KiB"), 1024U);
  EXPECT_EQ(parse_size("--block", "1MiB"), 1U << 20);
  EXPECT_EQ(parse_size("--block", "1kB"), 1000U);
  EXPECT_EQ(parse_size("--block", "1MB"), 1'000'000U);
}

TEST(Size, FractionsAreRoundedToWholeBytes) {
  EXPECT_EQ(parse_size("--block", "0.3k"), 300U);
  EXPECT_EQ(parse_size("--block", "1.6"), 2U);
}

TEST(Size, RefusesWhatIsNotOne) {
  for (const char* text : {"", "K", "1X", "1 K", "-1", "+1", "1kiB", "1Ki", "1KK", "1e3", "1%"}) {
    EXPECT_NE(bad_size(text).find("--block: '" + std::string(text) + "' is not a size"),
              std::string::npos)
        << text;
  }
}

TEST(Size, RefusesWhatDoesNotFit) {
  EXPECT_NE(bad_size("16384P").find("too large"), std::string::npos);
  EXPECT_NE(bad_size("18446744073709551616").find("too large"), std::string::npos);
  EXPECT_NE(bad_size(std::string(400, '9') + "K").find("too large"), std::string::npos);
}

TEST(Rate, IsPerSecondWhateverItIsWrittenIn) {
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "100"), 100);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "100/s"), 100);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "30/m"), 0.5);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "18/h"), 0.005);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "0.5/s"), 0.5);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "3/10s"), 0.3);
}

TEST(Rate, RefusesWhatIsNotOne) {
  for (const char* text : {"", "/s", "1/", "1/x", "1s", "1:s", "-1/s", "1/s/s", "1/-1s", "x"}) {
    EXPECT_NE(bad_rate(text).find("is not a rate"), std::string::npos) << text;
  }
}

TEST(Rate, RefusesZeroAndWithoutBound) {
  EXPECT_NE(bad_rate("0").find("out of range"), std::string::npos);
  EXPECT_NE(bad_rate("0/s").find("out of range"), std::string::npos);
  EXPECT_NE(bad_rate("1/0s").find("out of range"), std::string::npos);
  EXPECT_NE(bad_rate("0/0s").find("out of range"), std::string::npos);
  EXPECT_NE(bad_rate("0.0001/100000d").find("out of range"), std::string::npos);
  EXPECT_NE(bad_rate(std::string(400, '9')).find("out of range"), std::string::npos);
}

TEST(Jobs, CanBeANumberAPercentageOrADifference) {
  EXPECT_EQ(parse_jobs("--jobs", "7", 4), 7);
  EXPECT_EQ(parse_jobs("--jobs", "100%", 4), 4);
  EXPECT_EQ(parse_jobs("--jobs", "150%", 4), 6);
  EXPECT_EQ(parse_jobs("--jobs", "+2", 4), 6);
  EXPECT_EQ(parse_jobs("--jobs", "+0", 4), 4);
  EXPECT_EQ(parse_jobs("--jobs", "-1", 4), 3);
}

TEST(Jobs, RelativeNumbersAreAtLeastOne) {
  EXPECT_EQ(parse_jobs("--jobs", "-4", 4), 1);
  EXPECT_EQ(parse_jobs("--jobs", "-99999999999999999999", 4), 1);
  EXPECT_EQ(parse_jobs("--jobs", "1%", 4), 1);
  EXPECT_EQ(parse_jobs("--jobs", "60%", 3), 1);
}

TEST(Jobs, RefusesNoneAtAllAndSaysWhy) {
  for (const char* text : {"0", "0%"}) {
    EXPECT_NE(bad_jobs(text).find("at least 1"), std::string::npos) << text;
  }
}

TEST(Jobs, RefusesMoreThanTheMost) {
  EXPECT_EQ(parse_jobs("--jobs", "10000", 4), 10'000);
  for (const char* text : {"10001", "+9997", "1000000%", "99999999999999999999"}) {
    EXPECT_NE(bad_jobs(text).find("the most is 10000"), std::string::npos) << text;
  }
}

TEST(Jobs, RefusesWhatIsNotANumber) {
  for (const char* text : {"", "+", "-", "%", "x", "1.5", "+1%", "1 ", "--1", "+-1", "Auto"}) {
    EXPECT_NE(bad_jobs(text).find("is not a number of jobs"), std::string::npos) << text;
  }
}

TEST(Load, IsANumberOrAPercentageOfTheCpus) {
  EXPECT_DOUBLE_EQ(parse_load("--load", "4.5", 4), 4.5);
  EXPECT_DOUBLE_EQ(parse_load("--load", "80%", 4), 3.2);
  EXPECT_DOUBLE_EQ(parse_load("--load", "200%", 4), 8);
}

TEST(Load, RefusesWhatWouldNeverStartAnything) {
  for (const char* text : {"", "0", "0%", "-1", "x", "%", "1 %"}) {
    EXPECT_NE(bad_load(text).find("is not a load"), std::string::npos) << text;
  }
}

TEST(FormatDuration, UsesTheTwoUnitsThatMatter) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(7ns), "7ns");
  EXPECT_EQ(format_duration(850us), "850us");
  EXPECT_EQ(format_duration(450ms), "450ms");
  EXPECT_EQ(format_duration(2340ms), "2.3s");
  EXPECT_EQ(format_duration(65s), "1m05s");
  EXPECT_EQ(format_duration(2h + 3min + 10s), "2h03m");
  EXPECT_EQ(format_duration(76h), "3d04h");
  EXPECT_EQ(format_duration(-1500ms), "-1.5s");
}

TEST(FormatDuration, RoundsIntoTheNextUnit) {
  EXPECT_EQ(format_duration(999'600ns), "1ms");
  EXPECT_EQ(format_duration(999'600us), "1.0s");
  EXPECT_EQ(format_duration(59'960ms), "1m00s");
  EXPECT_EQ(format_duration(1h - 100ms), "1h00m");
  EXPECT_EQ(format_duration(24h - 1s), "1d00h");
}

TEST(FormatDuration, TakesTheExtremes) {
  EXPECT_EQ(format_duration(std::chrono::nanoseconds::max()), "106752d00h");
  EXPECT_EQ(format_duration(std::chrono::nanoseconds::min()), "-106752d00h");
}

}  // namespace
}  // namespace runnel_cli
