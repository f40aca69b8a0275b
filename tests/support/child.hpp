// Running a program as a child: its output, how it ended, and never for longer than a limit.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.hpp"

namespace runnel_test {

struct child_result {
  int code = -1;   // exit status; -1: ended by a signal
  int signal = 0;  // 0: ended by itself
  bool timed_out = false;
  std::string out;
  std::string err;
  std::chrono::nanoseconds elapsed{};

  /// For failure messages.
  std::string describe() const {
    return "code " + std::to_string(code) + ", signal " + std::to_string(signal) +
           (timed_out ? ", timed out" : "") + "\n--- stdout\n" + out + "\n--- stderr\n" + err;
  }
};

/// A running child with standard output and error captured. The environment is the parent's without RUNNEL_*, plus
/// `environment` ("NAME=VALUE").
class child {
 public:
  child(const std::string& program, const std::vector<std::string>& arguments,
        const std::vector<std::string>& environment = {}) {
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(out[1], 1);
      ::dup2(err[1], 2);
      exec(program, arguments, environment);
    }
    ::close(out[1]);
    ::close(err[1]);
    fds_ = {out[0], err[0]};
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (!reaped_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    for (const int fd : fds_)
      if (fd >= 0) ::close(fd);
  }

  void send_signal(int number) const { ::kill(pid_, number); }
  pid_t pid() const { return pid_; }

  /// Reads until standard output contains `text`; false: it ended or the limit passed before.
  bool wait_for_output(std::string_view text,
                       std::chrono::milliseconds limit = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (result_.out.find(text) == std::string::npos)
      if (!pump(end)) return false;
    return true;
  }

  /// Waits for the end; kills it at the limit.
  child_result finish(std::chrono::milliseconds limit = std::chrono::seconds(30)) {
    const auto end = start_ + limit;
    while (pump(end)) {
    }
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() >= end) {
        result_.timed_out = true;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status, 0);
        break;
      }
      ::usleep(1000);
    }
    reaped_ = true;
    result_.elapsed = std::chrono::steady_clock::now() - start_;
    if (WIFEXITED(status)) result_.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    return result_;
  }

 private:
  [[noreturn]] static void exec(const std::string& program,
                                const std::vector<std::string>& arguments,
                                const std::vector<std::string>& environment) {
    const struct rlimit none { 0, 0 };
    ::setrlimit(RLIMIT_CORE, &none);
    std::vector<std::string> command = emulator();
    command.push_back(program);
    std::vector<char*> argv;
    for (auto& word : command) argv.push_back(word.data());
    for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> env;
    for (char** e = ::environ; *e != nullptr; ++e)
      if (std::string_view(*e).substr(0, 7) != "RUNNEL_") env.push_back(*e);
    for (const auto& e : environment) env.push_back(const_cast<char*>(e.c_str()));
    env.push_back(nullptr);
    ::execvpe(argv[0], argv.data(), env.data());
    ::_exit(127);
  }

  /// What runs programs of the tested architecture, where that is not this machine's.
  static std::vector<std::string> emulator() {
    std::vector<std::string> words;
#ifdef RUNNEL_TEST_EMULATOR
    std::istringstream text(RUNNEL_TEST_EMULATOR);
    for (std::string word; text >> word;) words.push_back(word);
#endif
    return words;
  }

  /// Reads what is there; false: both streams ended or `end` has passed.
  bool pump(std::chrono::steady_clock::time_point end) {
    std::array<pollfd, 2> polled{};
    bool open = false;
    for (std::size_t i = 0; i < 2; ++i) {
      polled[i] = {fds_[i], POLLIN, 0};
      open = open || fds_[i] >= 0;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (!open || left.count() <= 0) return false;
    if (::poll(polled.data(), 2, static_cast<int>(left.count())) < 0 && errno != EINTR)
      return false;
    for (std::size_t i = 0; i < 2; ++i) {
      if (fds_[i] < 0 || polled[i].revents == 0) continue;
      std::array<char, 65536> block{};
      const ssize_t n = ::read(fds_[i], block.data(), block.size());
      if (n > 0) {
        (i == 0 ? result_.out : result_.err).append(block.data(), static_cast<std::size_t>(n));
      } else if (n == 0) {
        ::close(fds_[i]);
        fds_[i] = -1;
      }
    }
    return true;
  }

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  pid_t pid_ = -1;
  bool reaped_ = false;
  std::array<int, 2> fds_{-1, -1};
  child_result result_;
};

/// Runs tests/misuse/programs/NAME.cpp with `scenario` as its argument.
inline child_result run_program(const std::string& name, const std::string& scenario,
                                const std::vector<std::string>& environment = {},
                                std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  child c(std::string(RUNNEL_PROGRAM_DIR) + "/prog_" + name, {scenario}, environment);
  return c.finish(limit);
}

inline bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}
inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace runnel_test

/// The child ended by itself with this status.
#define EXPECT_EXIT_CODE(result, expected) \
  EXPECT_TRUE((result).code == (expected) && (result).signal == 0) << (result).describe()
#define EXPECT_DIED_BY(result, expected) \
  EXPECT_EQ((result).signal, (expected)) << (result).describe()
#define EXPECT_ERR_STARTS(result, text) \
  EXPECT_TRUE(::runnel_test::starts_with((result).err, text)) << (result).describe()
#define EXPECT_ERR_HAS(result, text)                                                        \
  EXPECT_TRUE(::runnel_test::contains((result).err, text)) << "missing: " << (text) << '\n' \
                                                           << (result).describe()
#define EXPECT_ERR_HAS_NOT(result, text)                                                   \
  EXPECT_FALSE(::runnel_test::contains((result).err, text)) << "found: " << (text) << '\n' \
                                                            << (result).describe()
