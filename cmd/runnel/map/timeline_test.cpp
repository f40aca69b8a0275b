// White box: the page of --timeline and the data in it.
#include "map/timeline.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

#include "../../../tests/support/scratch_directory.hpp"
#include "map/timeline_page.hpp"

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

class timeline_test : public testing::Test {
 protected:
  std::string page() const { return runnel_test::read_file(path_); }
  // The text between the two fixed parts of the page.
  std::string data_text() const {
    const std::string text = page();
    EXPECT_TRUE(text.starts_with(timeline_page_before_data));
    EXPECT_TRUE(text.ends_with(timeline_page_after_data));
    const std::size_t fixed = timeline_page_before_data.size() + timeline_page_after_data.size();
    return text.substr(timeline_page_before_data.size(), text.size() - fixed);
  }
  nlohmann::json written(const timeline& chart, std::chrono::nanoseconds elapsed = 10s,
                         int workers = 2, std::string_view title = "title") const {
    const runnel::error failure = chart.write(path_, elapsed, workers, title);
    EXPECT_FALSE(failure) << failure;
    return nlohmann::json::parse(data_text());
  }

  const runnel_test::scratch_directory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/page.html";
};

job_result result(std::uint64_t number, int worker, std::chrono::nanoseconds runtime,
                  outcome how = outcome::succeeded) {
  job_result r;
  r.number = number;
  r.worker = worker;
  r.how = how;
  r.command = "true";
  r.runtime = runtime;
  r.start = std::chrono::system_clock::time_point(1'709'251'200s);
  return r;
}

std::size_t occurrences(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(timeline_test, a_job_is_a_row_of_what_is_drawn) {
  timeline chart;
  job_result r = result(7, 2, 1500ms, outcome::failed);
  r.exit_code = 3;
  r.signal = 9;
  r.attempts = 4;
  r.command = "sh -c 'exit 3'";
  chart.add(r, 250ms);
  const nlohmann::json expected = {7, 2, 250'000, 1'500'000, 1, 3, 9, 4, "sh -c 'exit 3'"};
  const nlohmann::json data = written(chart);
  EXPECT_EQ(data.at("jobs"), nlohmann::json::array({expected}));
  EXPECT_EQ(data.at("began"), "2024-02-29T23:59:59.750Z");
  EXPECT_EQ(data.at("earlier_attempts"), 3);
}

TEST_F(timeline_test, a_job_that_was_not_started_has_its_reason_and_no_latency) {
  timeline chart;
  job_result r = result(1, 1, 0ns, outcome::not_started);
  r.failure = "no such command";
  chart.add(r, 1s);
  const nlohmann::json data = written(chart);
  EXPECT_EQ(data.at("jobs").at(0).at(9), "no such command");
  EXPECT_EQ(data.at("latency").at("count"), 0);
  EXPECT_TRUE(data.at("began").is_null());
}

TEST_F(timeline_test, a_run_without_jobs_has_a_page) {
  const nlohmann::json data = written(timeline(), 0s, 0);
  EXPECT_TRUE(data.at("jobs").empty());
  EXPECT_EQ(data.at("workers"), 1);
  EXPECT_TRUE(data.at("utilisation").is_null());
}

TEST_F(timeline_test, totals_and_utilisation_are_of_all_workers_and_the_whole_run) {
  timeline chart;
  chart.add(result(1, 1, 6s), 0s);
  chart.add(result(2, 2, 2s, outcome::failed), 0s);
  chart.add(result(3, 2, 2s, outcome::timed_out), 2s);
  const nlohmann::json data = written(chart, 10s, 2);
  EXPECT_EQ(data.at("total"), 3);
  EXPECT_EQ(data.at("busy"), 10.0);
  EXPECT_EQ(data.at("utilisation"), 0.5);
  EXPECT_EQ(data.at("elapsed"), 10.0);
  const nlohmann::json outcomes = {
      {"succeeded", 1}, {"failed", 1}, {"timed_out", 1}, {"cancelled", 0}, {"not_started", 0}};
  EXPECT_EQ(data.at("outcomes"), outcomes);
}

TEST_F(timeline_test, every_worker_that_had_a_job_has_a_lane) {
  timeline chart;
  chart.add(result(1, 5, 1s), 0s);
  EXPECT_EQ(written(chart, 1s, 2).at("workers"), 5);
}

TEST_F(timeline_test, latency_is_in_seconds_with_buckets_from_first_to_last) {
  timeline chart;
  for (std::uint64_t i = 1; i <= 100; ++i) chart.add(result(i, 1, i * 10ms), 0s);
  const nlohmann::json latency = written(chart).at("latency");
  EXPECT_EQ(latency.at("count"), 100);
  EXPECT_NEAR(latency.at("p50"), 0.5, 0.001);
  EXPECT_NEAR(latency.at("p90"), 0.9, 0.001);
  EXPECT_NEAR(latency.at("p99"), 0.99, 0.001);
  EXPECT_EQ(latency.at("max"), 1.0);
  EXPECT_EQ(latency.at("buckets").front(), nlohmann::json({0.01, 0.02, 1}));
  EXPECT_EQ(latency.at("buckets").back(), nlohmann::json({1.0, 2.0, 1}));
}

TEST_F(timeline_test, jobs_beyond_the_cap_are_counted_but_not_drawn) {
  timeline chart(2);
  for (std::uint64_t i = 1; i <= 5; ++i) chart.add(result(i, 1, 1s, outcome::failed), i * 1s);
  const nlohmann::json data = written(chart);
  EXPECT_EQ(data.at("jobs").size(), 2u);
  EXPECT_EQ(data.at("not_drawn"), 3);
  EXPECT_EQ(data.at("total"), 5);
  EXPECT_EQ(data.at("outcomes").at("failed"), 5);
  EXPECT_EQ(data.at("busy"), 5.0);
  EXPECT_EQ(data.at("latency").at("count"), 5);
}

TEST_F(timeline_test, no_command_or_title_can_break_out_of_the_data) {
  const std::string nasty = "</script><script>alert(1)</script> <!-- \"'\\ & \n\t \u2028";
  timeline chart;
  job_result r = result(1, 1, 1s, outcome::not_started);
  r.command = nasty;
  r.failure = nasty;
  chart.add(r, 0s);
  const nlohmann::json data = written(chart, 1s, 1, nasty);
  EXPECT_EQ(data.at("title"), nasty);
  EXPECT_EQ(data.at("jobs").at(0).at(8), nasty);
  EXPECT_EQ(data.at("jobs").at(0).at(9), nasty);
  EXPECT_EQ(data_text().find('<'), std::string::npos);
  EXPECT_EQ(occurrences(page(), "</script>"), 2u);
}

TEST_F(timeline_test, what_is_not_utf8_is_replaced) {
  timeline chart;
  job_result r = result(1, 1, 1s);
  r.command = "cat \xFF\xC3";
  chart.add(r, 0s);
  EXPECT_EQ(written(chart, 1s, 1, "\xFF").at("jobs").at(0).at(8), "cat \uFFFD\uFFFD");
}

TEST_F(timeline_test, long_commands_are_cut_between_characters_and_say_so) {
  timeline chart;
  job_result r = result(1, 1, 1s);
  r.command = "x";
  while (r.command.size() < 1000) r.command += "\u00e4";
  chart.add(r, 0s);
  const std::string shown = written(chart).at("jobs").at(0).at(8);
  EXPECT_LT(shown.size(), 300u);
  EXPECT_TRUE(shown.ends_with("\u00e4\u2026"));
  EXPECT_EQ(shown.find("\uFFFD"), std::string::npos);
}

TEST_F(timeline_test, times_before_the_start_count_as_none) {
  timeline chart;
  chart.add(result(1, 1, -1s), -1s);
  const nlohmann::json data = written(chart);
  EXPECT_EQ(data.at("jobs").at(0).at(2), 0);
  EXPECT_EQ(data.at("jobs").at(0).at(3), 0);
  EXPECT_EQ(data.at("busy"), 0.0);
}

TEST_F(timeline_test, the_page_loads_nothing_from_elsewhere) {
  for (const std::string_view part : {timeline_page_before_data, timeline_page_after_data}) {
    for (const char* way : {"http:", "https:", "src=", "url(", "@import", "innerHTML"}) {
      EXPECT_EQ(part.find(way), std::string_view::npos) << way;
    }
  }
}

TEST_F(timeline_test, an_old_page_is_replaced_and_nothing_else_is_left) {
  std::ofstream(path_) << "old";
  written(timeline());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(timeline_test, a_symbolic_link_stays_one) {
  const std::string target = directory_ + "/target.html";
  std::ofstream(target) << "old";
  std::filesystem::create_symlink(target, path_);
  written(timeline());
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_GT(std::filesystem::file_size(target), 1000u);
}

TEST_F(timeline_test, a_page_that_cannot_be_written_is_an_error_that_names_it) {
  const std::string path = directory_ + "/missing/page.html";
  const runnel::error failure = timeline().write(path, 1s, 1, "");
  EXPECT_TRUE(failure.is(std::errc::no_such_file_or_directory));
  EXPECT_NE(failure.message().find(path), std::string::npos) << failure;
  EXPECT_TRUE(timeline().write("/dev/full", 1s, 1, "").is(std::errc::no_space_on_device));
}

}  // namespace
}  // namespace runnel_cli
