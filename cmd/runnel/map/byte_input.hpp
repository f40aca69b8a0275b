// Reading a descriptor piece by piece, as fast as whoever reads wants it: the back-pressure of
// `runnel map` begins here.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <runnel/context.hpp>

#include "files.hpp"

namespace runnel_cli {

/// The wait for input was given up because the run was cancelled. No std::exception: it is not a
/// failure, and what catches failures must let it pass.
struct input_cancelled {};

/// The bytes of a descriptor. For one goroutine (or thread) at a time.
class byte_input {
 public:
  /// `name` stands in error messages. The flags of the descriptor stay as they are: standard input is
  /// shared with other processes.
  byte_input(owned_fd fd, std::string name, runnel::context ctx);
  /// `fd` stays the caller's and must outlive it.
  byte_input(int fd, std::string name, runnel::context ctx);

  /// The next bytes, at most 64 KiB, valid until the next call; empty at the end. Blocks the
  /// goroutine, not its thread, until there are some; at a terminal also until the process that the
  /// user started is in its foreground, for what is typed before is for somebody else. Throws std::runtime_error("NAME: why") if
  /// they cannot be read, input_cancelled if the context is done.
  std::string_view read();

  const std::string& name() const { return name_; }

 private:
  bool must_not_read() const;

  owned_fd owned_;  // none if it is borrowed
  int fd_;
  bool terminal_;
  std::string name_;
  runnel::context ctx_;
  std::unique_ptr<char[]> buffer_;
};

}  // namespace runnel_cli
