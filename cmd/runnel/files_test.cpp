// White box: files that are replaced whole.
#include "files.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "../../tests/support/scratch_directory.hpp"

namespace runnel_cli {
namespace {

class replaced_file_test : public testing::Test {
 protected:
  std::string content() const { return runnel_test::read_file(path_); }
  std::ptrdiff_t files() const {
    return std::distance(std::filesystem::directory_iterator(directory_), {});
  }

  const runnel_test::scratch_directory scratch_;
  const std::string directory_ = scratch_.path();
  const std::string path_ = directory_ + "/file";
};

TEST_F(replaced_file_test, the_old_content_stays_until_the_commit) {
  std::ofstream(path_) << "old";
  replaced_file file;
  ASSERT_FALSE(file.open(AT_FDCWD, path_));
  ASSERT_FALSE(file.write("ne"));
  ASSERT_FALSE(file.write("w"));
  EXPECT_EQ(content(), "old");
  ASSERT_FALSE(file.commit());
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(files(), 1);
}

TEST_F(replaced_file_test, without_a_commit_nothing_is_left) {
  {
    replaced_file file;
    ASSERT_FALSE(file.open(AT_FDCWD, path_));
    ASSERT_FALSE(file.write("text"));
  }
  EXPECT_EQ(files(), 0);
}

TEST_F(replaced_file_test, names_are_relative_to_the_directory_given) {
  const owned_fd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  replaced_file file;
  ASSERT_FALSE(file.open(directory.get(), "file"));
  ASSERT_FALSE(file.write("text"));
  ASSERT_FALSE(file.commit());
  EXPECT_EQ(content(), "text");
}

TEST_F(replaced_file_test, what_a_killed_process_left_is_no_hindrance) {
  std::ofstream(path_ + "." + std::to_string(::getpid()) + ".partial") << "half";
  replaced_file file;
  ASSERT_FALSE(file.open(AT_FDCWD, path_));
  ASSERT_FALSE(file.write("text"));
  ASSERT_FALSE(file.commit());
  EXPECT_EQ(content(), "text");
  EXPECT_EQ(files(), 1);
}

TEST_F(replaced_file_test, what_is_no_regular_file_is_written_to_and_stays) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const owned_fd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  {
    replaced_file file;
    ASSERT_FALSE(file.open(AT_FDCWD, path_));
    ASSERT_FALSE(file.write("text"));
    ASSERT_FALSE(file.commit());
  }
  char text[8] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "text");
  EXPECT_TRUE(std::filesystem::is_fifo(path_));
}

TEST_F(replaced_file_test, a_directory_cannot_be_replaced) {
  replaced_file file;
  EXPECT_TRUE(file.open(AT_FDCWD, directory_).is(std::errc::is_a_directory));
}

TEST_F(replaced_file_test, a_full_disk_is_an_error) {
  replaced_file file;
  ASSERT_FALSE(file.open(AT_FDCWD, "/dev/full"));
  EXPECT_TRUE(file.write("text").is(std::errc::no_space_on_device));
}

TEST(owned_fd_test, the_descriptor_is_closed_once_by_its_last_owner) {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    owned_fd first(fd);
    owned_fd second(std::move(first));
    EXPECT_FALSE(first);
    owned_fd third;
    third = std::move(second);
    EXPECT_EQ(third.get(), fd);
    EXPECT_NE(::fcntl(fd, F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

}  // namespace
}  // namespace runnel_cli
