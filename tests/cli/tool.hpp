// What the tests of the command-line tool have in common.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "../support/child.hpp"
#include "../support/scratch_directory.hpp"

namespace runnel_test {

namespace fs = std::filesystem;

inline child_result run_tool(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment = {}) {
  child c(RUNNEL_TOOL, arguments, environment);
  return c.finish(std::chrono::minutes(1));
}

// A shell command in which $1 is the tool and $2 an argument.
inline child_result run_shell(const std::string& command, const std::string& argument = {}) {
  child c("/bin/sh", {"-c", command, "sh", RUNNEL_TOOL, argument});
  return c.finish(std::chrono::minutes(1));
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  std::ranges::sort(lines);
  return lines;
}

inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Whether a process runs whose arguments contain `mark`.
inline bool runs(const std::string& mark) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ostringstream arguments;  // what cannot be read has ended meanwhile
    arguments << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (contains(arguments.str(), mark)) return true;
  }
  return false;
}

// A number of seconds that no other process of the machine is likely to sleep.
inline std::string unusual_sleep() {
  static int calls = 0;
  return "98" + std::to_string(::getpid()) + "." + std::to_string(++calls);
}

}  // namespace runnel_test
