// The output of jobs that have ended and whose turn has not come (--keep-order).
//
// There may be thousands of them. A spool of its own each, of up to 256 KiB in memory or with a descriptor, would be too
// much: those of more than a page lie in one file, one behind the other, each from a page's start.
#pragma once
#include <cstdint>
#include <memory>

#include <runnel/error.hpp>

#include "map/spool.hpp"

namespace runnel_cli {

/// For one goroutine at a time, and the spools that are in it belong to that goroutine, too. They may outlive it.
class backlog {
 public:
  /// A spool of so many bytes stays as it is.
  static constexpr std::uint64_t most_in_memory = 4096;

  /// Moves the bytes of `s` to the backlog's one temporary file, so that `s` has neither memory nor a descriptor of its
  /// own; it can be read as before, and nothing may be added to it. When it goes, the disk has its place back at once
  /// where the file system can make holes (else when nothing is in the backlog any more). Blocks in the kernel. Returns
  /// the system's error if the file cannot be made or written, or `s` not be read; `s` is as it was then.
  runnel::error put_aside(spool& s);

  /// What its file takes of the disk, in bytes.
  std::uint64_t disk_usage() const;

 private:
  class shared_file;
  class extent;

  std::shared_ptr<shared_file> file_;
};

}  // namespace runnel_cli
