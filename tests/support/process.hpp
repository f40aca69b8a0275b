// Commands for tests of processes, and what is known about descriptors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/go.hpp>
#include <runnel/process.hpp>

// qemu-user makes a vfork a fork: what goes wrong in the child before it executes the program is not heard of.
#ifdef RUNNEL_TEST_EMULATOR
#define SKIP_WHERE_VFORK_IS_FORK() GTEST_SKIP() << "the emulator makes vfork a fork"
#else
#define SKIP_WHERE_VFORK_IS_FORK() static_cast<void>(0)
#endif

namespace runnel_test {

/// What /bin/sh makes of `script`.
inline runnel::command shell(std::string script) {
  return {.arguments = {"/bin/sh", "-c", std::move(script)}};
}

/// The same with a pipe for standard output.
inline runnel::command piped_shell(std::string script) {
  runnel::command c = shell(std::move(script));
  c.output = runnel::redirect::pipe();
  return c;
}

/// What gives back what it is fed, with pipes for both.
inline runnel::command piped_cat() {
  return {
      .arguments = {"cat"}, .input = runnel::redirect::pipe(), .output = runnel::redirect::pipe()};
}

/// The standard output of `c`, up to its end.
inline std::string output_of(runnel::command c) {
  c.output = runnel::redirect::pipe();
  runnel::process p = runnel::spawn(c);
  std::string text = p.output().read_all();
  EXPECT_FALSE(p.wait());
  return text;
}

/// The descriptors of this process.
inline std::vector<int> open_descriptors() {
  return runnel::blocking([] {
    std::vector<int> all;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      all.push_back(std::stoi(entry.path().filename()));
    std::erase_if(all, [](int fd) { return ::fcntl(fd, F_GETFD) < 0; });  // the iterator's own
    return all;
  });
}

/// Nobody has the number, not even an ended process that is still in the table.
inline bool is_gone(int pid) { return !std::filesystem::exists("/proc/" + std::to_string(pid)); }

}  // namespace runnel_test
