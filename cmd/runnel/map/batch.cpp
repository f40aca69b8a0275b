#include "map/batch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "map/byte_input.hpp"

namespace runnel_cli {
namespace {

constexpr auto npos = std::string_view::npos;

class batches final : public job_source {
 public:
  batches(std::unique_ptr<item_source> items, std::size_t max_items, std::size_t max_bytes,
          std::size_t fixed_bytes)
      : items_(std::move(items)),
        max_items_(max_items == 0 ? SIZE_MAX : max_items),
        max_bytes_(max_bytes == 0 ? SIZE_MAX : max_bytes),
        fixed_bytes_(fixed_bytes) {}

  std::optional<job> next() override {
    job result;
    std::size_t bytes = fixed_bytes_;
    while (result.items.size() < max_items_ && peek(!result.items.empty())) {
      bytes += size_of(*held_);
      const bool alone = !held_->trouble.empty();
      if ((alone || bytes > max_bytes_) && !result.items.empty()) break;
      result.items.push_back(*std::exchange(held_, std::nullopt));
      if (alone) break;
    }
    if (result.items.empty()) return std::nullopt;
    result.number = ++number_;
    return result;
  }

  std::optional<std::uint64_t> total() const override {
    const std::optional<std::uint64_t> count = items_->total();
    if (!count || (max_bytes_ != SIZE_MAX && max_items_ > 1)) return std::nullopt;
    return *count / max_items_ + (*count % max_items_ != 0 ? 1 : 0);
  }

 private:
  // Sees to it that the next item is in held_; false: there is none. A failure waits until the job
  // that is being made has been given.
  bool peek(bool in_job) {
    if (held_) return true;
    if (over_) return false;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    try {
      held_ = items_->next();
    } catch (const std::runtime_error&) {
      if (!in_job) throw;
      failure_ = std::current_exception();
      return false;
    }
    over_ = !held_;
    return held_.has_value();
  }

  static std::size_t size_of(const item& i) {
    std::size_t bytes = 0;
    for (const std::string& field : i.fields) bytes += field.size() + argument_overhead;
    return bytes;
  }

  std::unique_ptr<item_source> items_;
  std::size_t max_items_;
  std::size_t max_bytes_;
  std::size_t fixed_bytes_;
  std::optional<item> held_;  // read, and in no job yet
  bool over_ = false;
  std::exception_ptr failure_;
  std::uint64_t number_ = 0;
};

// `text_` from begin_ on has been read and is in no block yet.
class block_source final : public job_source {
 public:
  block_source(std::unique_ptr<byte_input> input, std::size_t block_size, char record_end)
      : input_(std::move(input)),
        block_size_(std::max<std::size_t>(block_size, 1)),
        record_end_(record_end) {}

  std::optional<job> next() override {
    std::size_t length = 0;
    try {
      length = find_block();
    } catch (const input_cancelled&) {
      return std::nullopt;
    }
    if (length == 0) {
      if (failure_) std::rethrow_exception(failure_);
      return std::nullopt;
    }
    job result;
    result.number = ++number_;
    result.block = text_.substr(begin_, length);
    begin_ += length;
    return result;
  }

  std::optional<std::uint64_t> total() const override { return std::nullopt; }

 private:
  std::string_view unused() const { return std::string_view(text_).substr(begin_); }

  // The length of the next block, for which it reads as much as that takes; 0: there is none.
  std::size_t find_block() {
    while (unused().size() < block_size_ && fill()) {
    }
    const std::size_t last = unused().substr(0, block_size_).rfind(record_end_);
    if (last != npos) {
      // At the end of the input, a last record without an end goes along.
      return unused().size() < block_size_ && !failure_ ? unused().size() : last + 1;
    }
    for (std::size_t searched = std::min(block_size_, unused().size());;) {
      const std::size_t end = unused().find(record_end_, searched);
      if (end != npos) return end + 1;
      searched = unused().size();
      if (!fill()) return failure_ ? 0 : unused().size();
    }
  }

  // Reads on; false: there is no more, or it cannot be read.
  bool fill() {
    if (over_) return false;
    try {
      const std::string_view more = input_->read();
      text_.erase(0, std::exchange(begin_, 0));
      text_ += more;
      over_ = more.empty();
    } catch (const std::runtime_error&) {
      failure_ = std::current_exception();
      over_ = true;
    }
    return !over_;
  }

  std::unique_ptr<byte_input> input_;
  std::size_t block_size_;
  char record_end_;
  std::string text_;
  std::size_t begin_ = 0;
  bool over_ = false;
  std::exception_ptr failure_;  // why the input is over
  std::uint64_t number_ = 0;
};

std::size_t environment_size() {
  std::size_t bytes = 0;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    bytes += std::strlen(*variable) + argument_overhead;
  }
  return bytes;
}

}  // namespace

std::unique_ptr<job_source> one_or_more(std::unique_ptr<item_source> items, std::size_t max_items,
                                        std::size_t max_bytes, std::size_t fixed_bytes) {
  return std::make_unique<batches>(std::move(items), max_items, max_bytes, fixed_bytes);
}

std::size_t argument_space() {
  constexpr std::size_t most = std::size_t{128} * 1024;  // also what Linux allows a single argument
  constexpr std::size_t least = 2048;  // with less, what does not fit shows when it is executed
  constexpr std::size_t reserve = 4096;
  const long allowed = ::sysconf(_SC_ARG_MAX);
  if (allowed < 0) return most;
  const std::size_t taken = environment_size() + reserve;
  const auto limit = static_cast<std::size_t>(allowed);
  return std::clamp(limit > taken ? limit - taken : 0, least, most);
}

std::unique_ptr<job_source> blocks(int fd, std::size_t block_size, char record_end,
                                   const runnel::context& ctx) {
  const std::string name =
      fd == STDIN_FILENO ? "standard input" : "descriptor " + std::to_string(fd);
  auto input = std::make_unique<byte_input>(fd, name, ctx);
  return std::make_unique<block_source>(std::move(input), block_size, record_end);
}

}  // namespace runnel_cli
