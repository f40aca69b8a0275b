// The output of a job until its turn to be written has come.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <runnel/error.hpp>

namespace runnel_cli {

/// Bytes in the order they were added: in memory up to a limit, beyond it in a temporary file without a name (in
/// $TMPDIR, or /tmp), so that memory does not depend on how much a job writes. Move-only; for one goroutine at a time.
class spool {
 public:
  spool() = default;
  spool(spool&& other) noexcept
      : text_(std::move(other.text_)),
        size_(std::exchange(other.size_, 0)),
        file_(std::exchange(other.file_, -1)) {}
  spool& operator=(spool&& other) noexcept {
    std::swap(text_, other.text_);
    std::swap(size_, other.size_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~spool();

  /// The system's error if the temporary file cannot be made or written; what was added before stays.
  runnel::error add(std::string_view bytes);

  std::uint64_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Calls `use` with all bytes, piece by piece, until it returns an error; that error, or that of reading.
  runnel::error for_each(const std::function<runnel::error(std::string_view)>& use) const;

  /// All of it in memory. Throws std::system_error if it cannot be read back.
  std::string text() const;

 private:
  runnel::error spill();

  std::string text_;  // empty once there is a file
  std::uint64_t size_ = 0;
  int file_ = -1;
};

/// All of `bytes` to `fd`, over as many calls as that takes; the goroutine waits where the descriptor is not ready.
runnel::error write_fully(int fd, std::string_view bytes);

}  // namespace runnel_cli
