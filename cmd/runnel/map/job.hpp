// What is run and what came of it: the words that the parts of `runnel map` share.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace runnel_cli {

/// One input: the values of all sources, in the order of the sources (most often there is one).
struct item {
  std::vector<std::string> fields;
  // Why it can be no argument, though the beginning of it is in `fields`; most often empty.
  std::string trouble{};
};

/// What one run of the command is for.
struct job {
  std::uint64_t number = 0;  // from 1, in input order
  std::vector<item> items;   // one; several with -n and -X; none with --pipe
  std::string block;         // its standard input, with --pipe
};

/// Of its item: one with trouble is a job of its own. Most often empty.
inline std::string trouble_of(const job& j) {
  return j.items.empty() ? "" : j.items.front().trouble;
}

enum class outcome : std::uint8_t {
  succeeded,
  failed,      // exited with another status than 0, or was ended by a signal of somebody else
  timed_out,   // ended by us after --timeout
  cancelled,   // ended by us because the run was
  not_started  // there is no such command, or the system refused
};

/// What came of a job, after its last attempt.
struct job_result {
  std::uint64_t number = 0;
  int worker = 0;  // from 1
  outcome how = outcome::succeeded;
  int exit_code = 0;    // 127 (no such command) or 126 (other reasons) if it was not started
  int signal = 0;       // that ended it; 0: none
  int attempts = 1;     // how often it was started
  std::string failure;  // why it was not started
  std::string label;    // its items, separated by blanks
  std::string command;  // as one could type it into a shell
  std::chrono::system_clock::time_point start{};  // of the last attempt
  std::chrono::nanoseconds runtime{};             // of the last attempt
  std::chrono::nanoseconds user_time{};
  std::chrono::nanoseconds system_time{};
  std::uint64_t bytes_in = 0;   // fed to its standard input
  std::uint64_t bytes_out = 0;  // taken from its standard output
};

inline bool is_success(const job_result& r) { return r.how == outcome::succeeded; }

}  // namespace runnel_cli
