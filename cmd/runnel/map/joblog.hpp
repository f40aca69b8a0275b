// --joblog, --resume and --resume-failed: a line for each job that has ended, in the format of GNU
// parallel's job log, and what such a log says is done.
//
//   Seq  Host  Starttime  JobRuntime  Send  Receive  Exitval  Signal  Command      (tab-separated)
//
// Host is always ":" (this machine). Times are in seconds: the start since the epoch, with three
// decimals, the runtime with three decimals in ten columns. In the command a tab is written as \t,
// a line feed as \n, a carriage return as \r and a backslash as \\, so that a job is one line.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include <runnel/error.hpp>

#include "files.hpp"
#include "map/job.hpp"

namespace runnel_cli {

/// A job log that is being written. For one goroutine at a time.
class joblog {
 public:
  /// No log: add() does nothing.
  joblog() = default;

  /// Creates the log, or empties it. With `append` it keeps what is there; a last line that was cut
  /// off, by a run that was killed, goes, and a header is written if there is none. Blocks in the
  /// kernel. Throws usage_error if the file cannot be opened or written, or, with `append`, is not
  /// a job log (it is then left as it is).
  static joblog open(const std::string& path, bool append);

  /// Adds the line of one job, in one write to the end of the file: it is there whole or not at all,
  /// and the lines before it stay. Blocks in the kernel, without holding other goroutines up.
  /// Returns the error, which names the file, if it cannot be written (a full disk); what got there
  /// of the line is then taken away again.
  ///
  /// A job that did not succeed never reads as one that did: where the result has neither an exit
  /// status nor a signal (it was ended by us and left with status 0), its Exitval is -1, which GNU
  /// parallel writes for a timeout.
  runnel::error add(const job_result& r);

 private:
  runnel::error append_line(const std::string& line);

  std::string path_;
  owned_fd fd_;
};

/// Numbers of jobs: a bit for each, in chunks of 512 bytes, of those ranges in which there are any.
class resumed {
 public:
  /// Whether the job need not run again.
  bool skip(std::uint64_t number) const;
  /// How many jobs that are.
  std::size_t count() const { return count_; }

  void insert(std::uint64_t number);
  void erase(std::uint64_t number);

 private:
  static constexpr std::uint64_t chunk_bits = 4096;
  using chunk = std::array<std::uint64_t, chunk_bits / 64>;

  std::unordered_map<std::uint64_t, chunk> chunks_;  // by number / chunk_bits
  std::size_t count_ = 0;                            // bits that are set
};

/// The jobs that the log `path` says are done: all that have a line (--resume), or, with
/// `rerun_failed` (--resume-failed), those whose last line has exit status 0 and no signal. A missing
/// or empty file: none. A last line without a line break was cut off and does not count. Needs no
/// more memory for long lines. Blocks in the kernel. Throws usage_error, naming the file and the
/// line, if it cannot be read or is not a job log.
resumed read_joblog(const std::string& path, bool rerun_failed);

}  // namespace runnel_cli
