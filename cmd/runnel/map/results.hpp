// --results DIR: the output and the status of each job in files.
//
//   DIR/NUMBER/stdout    what the last attempt of the job wrote to its standard output
//   DIR/NUMBER/stderr    and to its standard error
//   DIR/NUMBER/status    one line of JSON: the members of `runnel map --json` without the output
//
// A job that is run again removes its old status first, and a status appears, whole, after the other
// files are complete: where there is one, all three belong together. (Files are not forced to the
// disk; this does not hold over a crash of the machine.) Jobs that were never run have no directory.
#pragma once
#include <cstdint>
#include <string>

#include <runnel/error.hpp>

#include "files.hpp"
#include "map/job.hpp"

namespace runnel_cli {

/// The directory of --results. Any number of goroutines may use it at once, for different jobs.
class results_directory {
 public:
  /// No directory: begin() gives no descriptors, finish() does nothing.
  results_directory() = default;

  /// Creates the directory and those above it if need be; what is in it stays. Blocks in the kernel.
  /// Throws usage_error if it cannot be created or written to.
  static results_directory open(const std::string& path);

  /// Starts an attempt of a job: removes its status and opens its output files, emptied, to append to
  /// (close-on-exec). Blocks in the kernel, without holding other
  /// goroutines up. On error, which names the file, there are no descriptors.
  runnel::error begin(std::uint64_t number, owned_fd& out, owned_fd& err) const;

  /// Writes the status of a job that is over and whose output files are complete. A job that was not
  /// started gets empty output files, also without begin(). Blocks as begin() does. The error names
  /// the file.
  runnel::error finish(const job_result& r) const;

 private:
  runnel::error open_outputs(const std::string& job, owned_fd& out, owned_fd& err) const;
  runnel::error write_status(const job_result& r) const;
  runnel::error failed(const std::string& name, runnel::error why) const;

  std::string path_;
  owned_fd directory_;  // names are relative to it: the current directory does not matter
};

}  // namespace runnel_cli
