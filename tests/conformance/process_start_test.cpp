// How processes start: what is run, where, with which environment and signals, and what is refused.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/process.hpp>

#include "../support/matrix.hpp"
#include "../support/process.hpp"

namespace {

using namespace runnel_test;
using runnel::command;
using runnel::process;
using runnel::redirect;
using runnel::spawn;

std::error_code failure_of(const command& c) {
  std::error_code failure;
  const process p = spawn(c, failure);
  EXPECT_EQ(p.id() == 0, static_cast<bool>(failure));
  return failure;
}

MATRIX_TEST(ProcessStart, AProgramIsLookedUpInThePath) {
  EXPECT_EQ(output_of({.arguments = {"echo", "a", "", "b c"}}), "a  b c\n");
}

MATRIX_TEST(ProcessStart, AMissingProgramIsAnError) {
  SKIP_WHERE_VFORK_IS_FORK();
  const command missing{.arguments = {"runnel-there-is-no-such-program"}};
  const std::error_code failure = failure_of(missing);
  EXPECT_EQ(failure, std::errc::no_such_file_or_directory);
  EXPECT_EQ(failure, std::error_code(ENOENT, std::system_category()));
  EXPECT_EQ(failure_of({.arguments = {"/no/such/program"}}), std::errc::no_such_file_or_directory);
  EXPECT_EQ(failure_of({.arguments = {""}}), std::errc::no_such_file_or_directory);
  EXPECT_EQ(failure_of({.arguments = {"/etc/passwd"}}), std::errc::permission_denied);
  try {
    spawn(missing);
    ADD_FAILURE() << "nothing thrown";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), failure);
    EXPECT_NE(std::string(e.what()).find(missing.arguments[0]), std::string::npos) << e.what();
  }
}

MATRIX_TEST(ProcessStart, TheDirectoryIsEntered) {
  command c{.arguments = {"pwd"}, .directory = "/usr/bin"};
  EXPECT_EQ(output_of(c), "/usr/bin\n");
  c.arguments = {"./env", "-i", "echo", "relative"};
  EXPECT_EQ(output_of(c), "relative\n");
}

MATRIX_TEST(ProcessStart, ADirectoryThatCannotBeEnteredIsAnError) {
  SKIP_WHERE_VFORK_IS_FORK();
  EXPECT_EQ(failure_of({.arguments = {"true"}, .directory = "/no/such/directory"}),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(failure_of({.arguments = {"true"}, .directory = "/etc/passwd"}),
            std::errc::not_a_directory);
}

MATRIX_TEST(ProcessStart, TheEnvironmentIsWhatTheCommandSays) {
  EXPECT_EQ(output_of({.arguments = {"/usr/bin/env"}, .environment = {{"A=1", "B=x y"}}}),
            "A=1\nB=x y\n");
  EXPECT_EQ(output_of({.arguments = {"env"}, .environment = std::vector<std::string>{}}), "");
  const char* const path = ::getenv("PATH");
  ASSERT_NE(path, nullptr);
  EXPECT_EQ(output_of({.arguments = {"printenv", "PATH"}}), path + std::string("\n"));
}

MATRIX_TEST(ProcessStart, ACommandThatMakesNoSenseIsRefused) {
  EXPECT_EQ(failure_of({.arguments = {}}), std::errc::invalid_argument);
  EXPECT_EQ(failure_of({.arguments = {"echo", std::string("a\0b", 3)}}),
            std::errc::invalid_argument);
  EXPECT_EQ(failure_of({.arguments = {"true"}, .environment = {{std::string("A=\0", 3)}}}),
            std::errc::invalid_argument);
  EXPECT_EQ(failure_of({.arguments = {"true"}, .directory = std::string("/\0", 2)}),
            std::errc::invalid_argument);
  EXPECT_EQ(failure_of({.arguments = {"true"}, .output = redirect::to_output()}),
            std::errc::invalid_argument);
  EXPECT_EQ(failure_of({.arguments = {"true"}, .input = redirect::to_output()}),
            std::errc::invalid_argument);
}

/// The set of signals that `field` of the child's /proc/self/status names.
unsigned long long signals_in_child(const std::string& field) {
  const std::string line = output_of({.arguments = {"grep", field, "/proc/self/status"}});
  const std::size_t at = line.find('\t');
  return at == std::string::npos ? ~0ULL : std::stoull(line.substr(at + 1), nullptr, 16);
}

MATRIX_TEST_THREAD(ProcessStart, InTheChildNoSignalIsBlocked) {
  sigset_t some;
  sigset_t before;
  sigemptyset(&some);
  for (const int number : {SIGUSR1, SIGTERM, SIGPIPE, SIGCHLD}) sigaddset(&some, number);
  ::pthread_sigmask(SIG_BLOCK, &some, &before);
  EXPECT_EQ(signals_in_child("SigBlk"), 0U);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

MATRIX_TEST(ProcessStart, InTheChildSigpipeIsNotIgnored) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(signals_in_child("SigIgn") & (1ULL << (SIGPIPE - 1)), 0U);
  std::signal(SIGPIPE, before);
}

}  // namespace
