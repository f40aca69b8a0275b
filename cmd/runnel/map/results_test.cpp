// White box: the files of --results.
#include "map/results.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

#include "../../../tests/support/scratch_directory.hpp"
#include "command.hpp"

namespace runnel_cli {
namespace {

class results_test : public testing::Test {
 protected:
  std::string content(const std::string& name) const {
    return runnel_test::read_file(path_ + "/" + name);
  }
  bool exists(const std::string& name) const { return std::filesystem::exists(path_ + "/" + name); }
  // Runs an attempt that writes these texts.
  void attempt(const results_directory& results, std::uint64_t number, const std::string& out,
               const std::string& err) const {
    owned_fd out_fd;
    owned_fd err_fd;
    const runnel::error failure = results.begin(number, out_fd, err_fd);
    ASSERT_FALSE(failure) << failure;
    ASSERT_FALSE(write_all(out_fd.get(), out));
    ASSERT_FALSE(write_all(err_fd.get(), err));
  }

  const runnel_test::scratch_directory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/a/b";
};

job_result result(std::uint64_t number) {
  job_result r;
  r.number = number;
  r.how = outcome::failed;
  r.exit_code = 3;
  r.command = "sh -c 'exit 3'";
  r.runtime = std::chrono::milliseconds(1500);
  return r;
}

TEST_F(results_test, a_job_gets_its_output_and_its_status_in_files) {
  const results_directory results = results_directory::open(path_);
  attempt(results, 12, "out\n", "err\n");
  EXPECT_FALSE(exists("12/status"));
  ASSERT_FALSE(results.finish(result(12)));
  EXPECT_EQ(content("12/stdout"), "out\n");
  EXPECT_EQ(content("12/stderr"), "err\n");
  EXPECT_TRUE(content("12/status").ends_with("}\n"));
  const nlohmann::json status = nlohmann::json::parse(content("12/status"));
  EXPECT_EQ(status.at("job"), 12);
  EXPECT_EQ(status.at("outcome"), "failed");
  EXPECT_EQ(status.at("exit_code"), 3);
  EXPECT_TRUE(status.at("signal").is_null());
  EXPECT_EQ(status.at("runtime_seconds"), 1.5);
  EXPECT_EQ(status.at("command"), "sh -c 'exit 3'");
  EXPECT_FALSE(status.contains("stdout"));
}

TEST_F(results_test, nothing_but_the_three_files_is_left) {
  const results_directory results = results_directory::open(path_);
  attempt(results, 1, "", "");
  ASSERT_FALSE(results.finish(result(1)));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path_ + "/1"), {}), 3);
}

TEST_F(results_test, another_attempt_starts_with_empty_files_and_without_a_status) {
  const results_directory results = results_directory::open(path_);
  attempt(results, 1, "first, and longer", "first");
  ASSERT_FALSE(results.finish(result(1)));
  attempt(results, 1, "second", "");
  EXPECT_FALSE(exists("1/status"));
  EXPECT_EQ(content("1/stdout"), "second");
  EXPECT_EQ(content("1/stderr"), "");
}

TEST_F(results_test, a_job_that_was_not_started_has_empty_files_and_a_status_that_says_why) {
  const results_directory results = results_directory::open(path_);
  job_result r = result(4);
  r.how = outcome::not_started;
  r.failure = "no such command";
  attempt(results, 4, "of an earlier attempt", "");
  ASSERT_FALSE(results.finish(r));
  r.number = 5;  // without begin()
  ASSERT_FALSE(results.finish(r));
  for (const std::string job : {"4", "5"}) {
    EXPECT_TRUE(exists(job + "/stderr"));
    EXPECT_TRUE(exists(job + "/stdout"));
    EXPECT_EQ(content(job + "/stdout"), "");
    EXPECT_EQ(nlohmann::json::parse(content(job + "/status")).at("error"), "no such command");
  }
}

TEST_F(results_test, what_is_in_the_directory_stays) {
  std::filesystem::create_directories(path_);
  std::ofstream(path_ + "/note") << "mine";
  results_directory::open(path_);
  EXPECT_EQ(content("note"), "mine");
}

TEST_F(results_test, a_directory_that_cannot_be_made_is_a_usage_error) {
  std::ofstream(directory_ + "/file") << "";
  EXPECT_THROW(results_directory::open(directory_ + "/file"), usage_error);
  EXPECT_THROW(results_directory::open(directory_ + "/file/below"), usage_error);
  EXPECT_THROW(results_directory::open(""), usage_error);
  EXPECT_THROW(results_directory::open("/proc/no/such"), usage_error);
}

TEST_F(results_test, an_error_names_the_file_and_leaves_no_descriptors) {
  const results_directory results = results_directory::open(path_);
  std::ofstream(path_ + "/9") << "in the way";
  owned_fd out_fd;
  owned_fd err_fd;
  const runnel::error failure = results.begin(9, out_fd, err_fd);
  EXPECT_NE(failure.message().find(path_ + "/9"), std::string::npos) << failure;
  EXPECT_FALSE(out_fd);
  EXPECT_FALSE(err_fd);
}

TEST_F(results_test, without_a_directory_nothing_happens) {
  const results_directory none;
  owned_fd out_fd;
  owned_fd err_fd;
  EXPECT_FALSE(none.begin(1, out_fd, err_fd));
  EXPECT_FALSE(out_fd);
  EXPECT_FALSE(err_fd);
  EXPECT_FALSE(none.finish(result(1)));
}

}  // namespace
}  // namespace runnel_cli
