// Where the text of a report goes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/output.hpp"

namespace runnel::detail {

class text_out {
 public:
  virtual void write(std::string_view text) = 0;
  void write_number(std::uint64_t number, unsigned base = 10) {
    char digits[20];
    char* p = digits + sizeof digits;
    do {
      *--p = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    write(std::string_view(p, static_cast<std::size_t>(digits + sizeof digits - p)));
  }
  /// False: the process is in a state in which memory cannot be had (it may have died inside
  /// malloc).
  virtual bool may_allocate() const noexcept { return true; }

 protected:
  ~text_out() = default;
};

/// Standard error, a block at a time.
class stderr_out final : public text_out {
 public:
  explicit stderr_out(bool may_allocate = true) noexcept : may_allocate_(may_allocate) {}
  stderr_out(const stderr_out&) = delete;
  stderr_out& operator=(const stderr_out&) = delete;
  ~stderr_out() { flush(); }

  void write(std::string_view text) noexcept override {
    if (text.size() > sizeof block_ - used_) flush();
    if (text.size() > sizeof block_) {
      write_stderr(text);
      return;
    }
    std::memcpy(block_ + used_, text.data(), text.size());
    used_ += text.size();
  }
  void flush() noexcept {
    write_stderr(std::string_view(block_, used_));
    used_ = 0;
  }
  bool may_allocate() const noexcept override { return may_allocate_; }

 private:
  const bool may_allocate_;
  std::size_t used_ = 0;
  char block_[1024];
};

class string_out final : public text_out {
 public:
  explicit string_out(std::string& to) noexcept : to_(to) {}
  void write(std::string_view text) override { to_.append(text); }

 private:
  std::string& to_;
};

}  // namespace runnel::detail
