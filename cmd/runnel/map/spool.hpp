// The output of a job until its turn to be written has come.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <runnel/error.hpp>

#include "files.hpp"

namespace runnel_cli {

/// Assignment would keep the memory for what comes next.
inline void free_memory(std::string& text) { std::string().swap(text); }

/// Bytes that somebody keeps for a spool; their place is given back with the object.
class stored {
 public:
  stored() = default;
  stored(const stored&) = delete;
  stored& operator=(const stored&) = delete;
  virtual ~stored() = default;

  /// As spool::for_each.
  virtual runnel::error for_each(
      const std::function<runnel::error(std::string_view)>& use) const = 0;
};

/// Bytes in the order they were added: in memory up to 256 KiB, beyond it in a temporary file, so that memory does not
/// depend on how much a job writes. Move-only; one that was moved from can only be assigned to. For one goroutine at a
/// time.
class spool {
 public:
  /// The system's error if the temporary file cannot be made or written; what was added before stays.
  runnel::error add(std::string_view bytes);

  /// From now on its bytes are those of `place`, which are the same; it has neither memory nor a file of its own any
  /// more. Nothing may be added after that.
  void keep_in(std::unique_ptr<const stored> place);
  /// Whether keep_in() was called.
  bool is_kept() const noexcept { return place_ != nullptr; }

  std::uint64_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Calls `use` with all bytes, piece by piece, until it returns an error; that error, or that of reading.
  runnel::error for_each(const std::function<runnel::error(std::string_view)>& use) const;

  /// All of it in memory. Throws std::system_error if it cannot be read back.
  std::string text() const;

 private:
  runnel::error spill();

  // The bytes are in the last one of these that there is.
  std::string text_;
  temporary_file file_;
  std::unique_ptr<const stored> place_;
  std::uint64_t size_ = 0;
};

}  // namespace runnel_cli
