// White box: the lines of the job log, and what is read back from it.
#include "map/joblog.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "../../../tests/support/scratch_directory.hpp"
#include "command.hpp"

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

const std::string header =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

class joblog_test : public testing::Test {
 protected:
  void put(const std::string& text) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
  }
  std::string content() const { return runnel_test::read_file(path_); }
  std::string complaint_of_reading() const {
    try {
      read_joblog(path_, false);
    } catch (const usage_error& e) {
      return e.what();
    }
    return "";
  }

  const runnel_test::scratch_directory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/log";
};

job_result sample(std::uint64_t number, outcome how = outcome::succeeded, int exit_code = 0,
                  int signal = 0) {
  job_result r;
  r.number = number;
  r.how = how;
  r.exit_code = exit_code;
  r.signal = signal;
  r.command = "true";
  r.start = std::chrono::system_clock::time_point(1'700'000'000'042ms);
  r.runtime = 1'234'500us;
  return r;
}

std::string line(int number, const std::string& exit_code = "0", const std::string& signal = "0") {
  return std::to_string(number) + "\t:\t1700000000.042\t     1.235\t0\t0\t" + exit_code + "\t" +
         signal + "\ttrue\n";
}

TEST_F(joblog_test, a_line_has_the_fields_and_widths_of_gnu_parallel) {
  joblog log = joblog::open(path_, false);
  job_result r = sample(7, outcome::failed, 3, 9);
  r.bytes_in = 11;
  r.bytes_out = 22;
  r.command = "sh -c 'exit 3'";
  ASSERT_FALSE(log.add(r));
  EXPECT_EQ(content(), header + "7\t:\t1700000000.042\t     1.234\t11\t22\t3\t9\tsh -c 'exit 3'\n");
}

TEST_F(joblog_test, milliseconds_of_the_start_keep_their_leading_zeros_and_are_not_rounded_up) {
  joblog log = joblog::open(path_, false);
  job_result r = sample(1);
  r.start = std::chrono::system_clock::time_point(5s + 9'999us);
  ASSERT_FALSE(log.add(r));
  EXPECT_NE(content().find("\t5.009\t"), std::string::npos);
}

TEST_F(joblog_test, tabs_line_breaks_and_backslashes_of_a_command_do_not_break_the_line) {
  joblog log = joblog::open(path_, false);
  job_result r = sample(1);
  r.command = "a\tb\nc\rd\\e";
  ASSERT_FALSE(log.add(r));
  EXPECT_TRUE(content().ends_with("\t0\t0\ta\\tb\\nc\\rd\\\\e\n"));
  EXPECT_TRUE(read_joblog(path_, true).skip(1));
}

TEST_F(joblog_test, opening_without_append_empties_the_log) {
  put(header + line(1));
  joblog::open(path_, false);
  EXPECT_EQ(content(), header);
}

TEST_F(joblog_test, opening_with_append_keeps_the_lines_and_writes_one_header) {
  put(header + line(1));
  joblog log = joblog::open(path_, true);
  ASSERT_FALSE(log.add(sample(2)));
  EXPECT_TRUE(content().starts_with(header + line(1) + "2\t:\t"));
}

TEST_F(joblog_test, opening_with_append_writes_a_header_into_a_new_an_empty_and_a_cut_off_file) {
  joblog::open(path_, true);
  EXPECT_EQ(content(), header);
  put("");
  joblog::open(path_, true);
  EXPECT_EQ(content(), header);
  put(header.substr(0, 20));
  joblog::open(path_, true);
  EXPECT_EQ(content(), header);
}

TEST_F(joblog_test, opening_with_append_cuts_a_partial_last_line_away) {
  put(header + line(1) + "2\t:\t17000");
  joblog log = joblog::open(path_, true);
  EXPECT_EQ(content(), header + line(1));
  ASSERT_FALSE(log.add(sample(3)));
  EXPECT_FALSE(read_joblog(path_, false).skip(2));
  EXPECT_TRUE(read_joblog(path_, false).skip(3));
}

TEST_F(joblog_test, opening_with_append_cuts_a_partial_line_of_many_blocks_away) {
  put(header + line(1) + "2\t:\t" + std::string(200'000, 'x'));
  joblog::open(path_, true);
  EXPECT_EQ(content(), header + line(1));
}

TEST_F(joblog_test, opening_something_else_with_append_is_an_error_and_leaves_it_alone) {
  const std::string precious = "my only copy\nof the novel";
  put(precious);
  EXPECT_THROW(joblog::open(path_, true), usage_error);
  EXPECT_EQ(content(), precious);
}

TEST_F(joblog_test, a_log_that_cannot_be_opened_is_a_usage_error_that_names_it) {
  const std::string path = directory_ + "/missing/log";
  try {
    joblog::open(path, false);
    FAIL() << "opened";
  } catch (const usage_error& e) {
    EXPECT_NE(std::string(e.what()).find(path), std::string::npos) << e.what();
  }
}

TEST_F(joblog_test, a_disk_that_is_full_from_the_start_is_a_usage_error) {
  EXPECT_THROW(joblog::open("/dev/full", false), usage_error);
}

TEST_F(joblog_test, a_log_may_be_a_device) {
  joblog log = joblog::open("/dev/null", true);
  EXPECT_FALSE(log.add(sample(1)));
}

TEST_F(joblog_test, without_a_log_adding_does_nothing) {
  joblog none;
  EXPECT_FALSE(none.add(sample(1)));
}

// Limits the size of files for as long as it lives, as a full disk would.
class size_limit {
 public:
  explicit size_limit(std::uintmax_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(joblog_test, a_line_that_does_not_fit_is_an_error_and_leaves_the_lines_before_it_whole) {
  joblog log = joblog::open(path_, false);
  ASSERT_FALSE(log.add(sample(1)));
  const std::string before = content();
  runnel::error failure;
  {
    const size_limit full(before.size() + 10);
    failure = log.add(sample(2));
  }
  EXPECT_TRUE(failure.is(std::errc::file_too_large)) << failure;
  EXPECT_NE(failure.message().find(path_), std::string::npos) << failure;
  EXPECT_EQ(content(), before);
  ASSERT_FALSE(log.add(sample(3)));  // there is room again
  EXPECT_EQ(read_joblog(path_, false).count(), 2u);
}

TEST_F(joblog_test, jobs_that_we_ended_never_read_as_successes) {
  joblog log = joblog::open(path_, false);
  ASSERT_FALSE(log.add(sample(1, outcome::timed_out, 0, 15)));
  ASSERT_FALSE(log.add(sample(2, outcome::timed_out, 0, 0)));  // trapped SIGTERM and left with 0
  ASSERT_FALSE(log.add(sample(3, outcome::cancelled, 0, 0)));
  ASSERT_FALSE(log.add(sample(4, outcome::not_started, 127, 0)));
  ASSERT_FALSE(log.add(sample(5, outcome::failed, 1, 0)));
  ASSERT_FALSE(log.add(sample(6)));
  const resumed done = read_joblog(path_, true);
  EXPECT_EQ(done.count(), 1u);
  EXPECT_TRUE(done.skip(6));
  EXPECT_NE(content().find("\t0\t15\ttrue\n2\t"), std::string::npos) << content();
  EXPECT_NE(content().find("\t-1\t0\ttrue\n3\t"), std::string::npos) << content();
}

TEST_F(joblog_test, resume_skips_every_job_with_a_line) {
  put(header + line(1) + line(5, "1") + line(3, "0", "9"));
  const resumed done = read_joblog(path_, false);
  EXPECT_EQ(done.count(), 3u);
  EXPECT_TRUE(done.skip(1));
  EXPECT_FALSE(done.skip(2));
  EXPECT_TRUE(done.skip(3));
  EXPECT_FALSE(done.skip(4));
  EXPECT_TRUE(done.skip(5));
}

TEST_F(joblog_test, resume_failed_goes_by_the_last_line_of_a_job) {
  put(header + line(1, "1") + line(2) + line(3, "0", "9") + line(4, "-1") + line(1) + line(2, "2"));
  const resumed done = read_joblog(path_, true);
  EXPECT_EQ(done.count(), 1u);
  EXPECT_TRUE(done.skip(1));
  EXPECT_FALSE(done.skip(2));
  EXPECT_FALSE(done.skip(3));
  EXPECT_FALSE(done.skip(4));
}

TEST_F(joblog_test, a_missing_and_an_empty_log_have_nothing_to_skip) {
  EXPECT_EQ(read_joblog(path_, false).count(), 0u);
  put("");
  EXPECT_EQ(read_joblog(path_, true).count(), 0u);
  put(header);
  EXPECT_EQ(read_joblog(path_, true).count(), 0u);
}

TEST_F(joblog_test, a_last_line_that_was_cut_off_does_not_count) {
  const std::string last = line(2);
  for (std::size_t kept = 1; kept < last.size(); ++kept) {
    put(header + line(1) + last.substr(0, kept));
    EXPECT_EQ(read_joblog(path_, false).count(), 1u) << kept;
  }
  put(header.substr(0, 30));
  EXPECT_EQ(read_joblog(path_, false).count(), 0u);
}

TEST_F(joblog_test, a_malformed_line_is_an_error_that_names_file_and_line) {
  for (const std::string bad :
       {"\n", "hello\n", "x\t:\t1.0\t1.0\t0\t0\t0\t0\ttrue\n", "0\t:\t1.0\t1.0\t0\t0\t0\t0\ttrue\n",
        "2\t:\t1.0\t1.0\t0\t0\t0\n", "2\t:\t1.0\t1.0\t0\t0\t\t0\ttrue\n",
        "2\t:\t1.0\t1.0\t0\t0\t0\tKILL\ttrue\n",
        "99999999999999999999999\t:\t1.0\t1.0\t0\t0\t0\t0\ttrue\n"}) {
    put(header + line(1) + bad + line(3));
    const std::string complaint = complaint_of_reading();
    EXPECT_NE(complaint.find(path_), std::string::npos) << bad;
    EXPECT_NE(complaint.find("line 3"), std::string::npos) << bad << complaint;
  }
}

TEST_F(joblog_test, a_file_that_is_no_log_cannot_be_resumed_from) {
  put("hello\n");
  EXPECT_NE(complaint_of_reading().find("not a job log"), std::string::npos);
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_NE(complaint_of_reading().find("regular file"), std::string::npos);
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(complaint_of_reading().find("regular file"), std::string::npos);
}

TEST_F(joblog_test, lines_longer_than_any_buffer_are_read) {
  std::string long_line = line(1);
  long_line.insert(long_line.size() - 1, std::string(300'000, '\\'));
  put(header + long_line + line(2));
  EXPECT_EQ(read_joblog(path_, true).count(), 2u);
}

TEST(resumed_test, numbers_are_kept_apart_over_the_whole_range) {
  const std::uint64_t highest = ~std::uint64_t{0};
  resumed numbers;
  for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{4095},
                                std::uint64_t{4096}, std::uint64_t{5'000'000'000}, highest}) {
    EXPECT_FALSE(numbers.skip(n));
    numbers.insert(n);
    numbers.insert(n);
    EXPECT_TRUE(numbers.skip(n));
    EXPECT_EQ(numbers.skip(n - 1), n == 4096);
  }
  EXPECT_EQ(numbers.count(), 6u);
  numbers.erase(4096);
  numbers.erase(4096);
  EXPECT_FALSE(numbers.skip(4096));
  EXPECT_TRUE(numbers.skip(4095));
  EXPECT_EQ(numbers.count(), 5u);
}

}  // namespace
}  // namespace runnel_cli
