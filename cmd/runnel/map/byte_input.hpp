// Reading a descriptor piece by piece, as fast as whoever reads wants it: the back-pressure of
// `runnel map` begins here.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <runnel/context.hpp>

namespace runnel_cli {

/// The wait for input was given up because the run was cancelled. No std::exception: it is not a
/// failure, and what catches failures must let it pass.
struct input_cancelled {};

/// The bytes of a descriptor. For one goroutine (or thread) at a time.
class byte_input {
 public:
  enum class ownership : bool { borrowed, owned };

  /// `name` stands in error messages. The flags of `fd` stay as they are: standard input is shared
  /// with other processes. Closes `fd` in the end if it is owned.
  byte_input(int fd, ownership owner, std::string name, runnel::context ctx);
  byte_input(const byte_input&) = delete;
  byte_input& operator=(const byte_input&) = delete;
  ~byte_input();

  /// The next bytes, at most 64 KiB, valid until the next call; empty at the end. Blocks the
  /// goroutine, not its thread, until there are some. Throws std::runtime_error("NAME: why") if
  /// they cannot be read, input_cancelled if the context is done.
  std::string_view read();

  const std::string& name() const { return name_; }

 private:
  int fd_;
  ownership owner_;
  std::string name_;
  runnel::context ctx_;
  std::unique_ptr<char[]> buffer_;
};

}  // namespace runnel_cli
