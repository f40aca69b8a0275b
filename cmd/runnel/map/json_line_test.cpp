// White box: results as JSON.
#include "map/json_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

job_result sample() {
  job_result r;
  r.number = 7;
  r.worker = 2;
  r.how = outcome::failed;
  r.exit_code = 3;
  r.attempts = 4;
  r.label = "a b";
  r.command = "cat 'a b'";
  r.start = std::chrono::system_clock::time_point(1'709'251'199'007ms);
  r.runtime = 1500ms;
  r.user_time = 250ms;
  r.system_time = 125ms;
  return r;
}

nlohmann::json parsed(const job_result& r, std::string_view out = "", std::string_view err = "") {
  return nlohmann::json::parse(json_line(r, out, err));
}

TEST(json_line_test, every_member_is_there) {
  const nlohmann::json expected = {{"job", 7},
                                   {"worker", 2},
                                   {"outcome", "failed"},
                                   {"exit_code", 3},
                                   {"signal", nullptr},
                                   {"attempts", 4},
                                   {"command", "cat 'a b'"},
                                   {"item", "a b"},
                                   {"start", "2024-02-29T23:59:59.007Z"},
                                   {"runtime_seconds", 1.5},
                                   {"user_seconds", 0.25},
                                   {"system_seconds", 0.125},
                                   {"stdout", "out\n"},
                                   {"stderr", "err\n"}};
  EXPECT_EQ(parsed(sample(), "out\n", "err\n"), expected);
}

TEST(json_line_test, it_is_one_line_whatever_the_output_holds) {
  const std::string out("a\nb\r\"\\\0\x01\xE2\x80\xA8", 11);
  const std::string line = json_line(sample(), out, "\n\n");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 0);
  EXPECT_EQ(nlohmann::json::parse(line).at("stdout"), out);
}

TEST(json_line_test, a_job_that_a_signal_ended_has_no_exit_status) {
  job_result r = sample();
  r.signal = 15;
  r.exit_code = 0;
  EXPECT_EQ(parsed(r).at("signal"), 15);
  EXPECT_TRUE(parsed(r).at("exit_code").is_null());
}

TEST(json_line_test, a_job_that_was_never_started_says_why_and_has_no_start) {
  job_result r = sample();
  r.how = outcome::not_started;
  r.exit_code = 127;
  r.failure = "no such command";
  r.start = {};
  EXPECT_EQ(parsed(r).at("error"), "no such command");
  EXPECT_EQ(parsed(r).at("exit_code"), 127);
  EXPECT_TRUE(parsed(r).at("start").is_null());
}

TEST(json_line_test, outcomes_have_their_words) {
  EXPECT_EQ(outcome_name(outcome::succeeded), "succeeded");
  EXPECT_EQ(outcome_name(outcome::failed), "failed");
  EXPECT_EQ(outcome_name(outcome::timed_out), "timed_out");
  EXPECT_EQ(outcome_name(outcome::cancelled), "cancelled");
  EXPECT_EQ(outcome_name(outcome::not_started), "not_started");
}

TEST(json_line_test, output_that_is_not_utf8_is_replaced_and_marked) {
  const nlohmann::json object = parsed(sample(), "a\xFFz", "\u00e4");
  EXPECT_EQ(object.at("stdout"), "a\uFFFDz");
  EXPECT_EQ(object.at("stdout_lossy"), true);
  EXPECT_EQ(object.at("stderr"), "\u00e4");
  EXPECT_FALSE(object.contains("stderr_lossy"));
  EXPECT_FALSE(object.contains("command_lossy"));
}

TEST(json_line_test, a_character_that_is_cut_off_and_surrogates_are_not_utf8) {
  EXPECT_EQ(parsed(sample(), "", "x\xE2\x82").at("stderr_lossy"), true);
  EXPECT_EQ(parsed(sample(), "\xED\xA0\x80").at("stdout_lossy"), true);
}

TEST(json_line_test, a_replacement_character_in_the_output_itself_is_no_loss) {
  EXPECT_FALSE(parsed(sample(), "\uFFFD").contains("stdout_lossy"));
}

TEST(json_line_test, commands_and_items_that_are_not_utf8_are_marked_too) {
  job_result r = sample();
  r.command = "cat \xFF";
  r.label = "\xFF";
  const nlohmann::json object = nlohmann::json::parse(status_json(r));
  EXPECT_EQ(object.at("command_lossy"), true);
  EXPECT_EQ(object.at("item_lossy"), true);
  EXPECT_EQ(object.at("command"), "cat \uFFFD");
}

TEST(json_line_test, the_status_has_no_output) {
  const nlohmann::json object = nlohmann::json::parse(status_json(sample()));
  EXPECT_FALSE(object.contains("stdout"));
  EXPECT_FALSE(object.contains("stderr"));
  EXPECT_EQ(object.at("job"), 7);
}

TEST(utc_time_test, parts_of_a_millisecond_are_dropped_also_before_the_epoch) {
  using std::chrono::duration_cast;
  using clock = std::chrono::system_clock;
  EXPECT_EQ(utc_time(clock::time_point(999'999us)), "1970-01-01T00:00:00.999Z");
  EXPECT_EQ(utc_time(clock::time_point(-1us)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace runnel_cli
