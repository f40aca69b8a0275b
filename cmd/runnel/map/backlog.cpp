#include "map/backlog.hpp"

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.hpp"

namespace runnel_cli {
namespace {

// What file systems allocate and free. A hole frees whole blocks only.
constexpr std::uint64_t block = 4096;

constexpr std::uint64_t whole_blocks(std::uint64_t bytes) {
  return (bytes + block - 1) / block * block;
}

}  // namespace

// Invariant: no extent reaches beyond `end_`, and it is 0 when there is none.
class backlog::shared_file {
 public:
  runnel::error open() { return file_.open(); }
  const temporary_file& file() const { return file_; }

  // Copies `s` to the end and says where that is.
  runnel::error append(const spool& s, std::uint64_t& begin) {
    begin = end_;
    std::uint64_t at = begin;
    runnel::error failed = s.for_each([&](std::string_view piece) {
      runnel::error no_room = file_.write(at, piece);
      at += piece.size();
      return no_room;
    });
    if (failed)
      cut(end_);
    else
      take(begin, s.size());
    return failed;
  }

  void give_back(std::uint64_t begin, std::uint64_t size) {
    if (--extents_ == 0) {
      end_ = 0;
      cut(0);
      return;
    }
    // Where it fails the place is free when the last one is.
    static_cast<void>(::fallocate(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                  static_cast<off_t>(begin),
                                  static_cast<off_t>(whole_blocks(size))));
  }

 private:
  void take(std::uint64_t begin, std::uint64_t size) {
    end_ = begin + whole_blocks(size);
    ++extents_;
  }

  // A failure leaves bytes that are written over later.
  void cut(std::uint64_t size) const {
    [[maybe_unused]] const int ignored = ::ftruncate(file_.fd(), static_cast<off_t>(size));
  }

  temporary_file file_;
  std::uint64_t end_ = 0;
  std::size_t extents_ = 0;
};

class backlog::extent final : public stored {
 public:
  explicit extent(std::shared_ptr<shared_file> file) : file_(std::move(file)) {}
  ~extent() override {
    if (size_ > 0) file_->give_back(begin_, size_);
  }

  runnel::error fill(const spool& s) {
    runnel::error failed = file_->append(s, begin_);
    if (!failed) size_ = s.size();
    return failed;
  }

  runnel::error for_each(const std::function<runnel::error(std::string_view)>& use) const override {
    return file_->file().read(begin_, size_, use);
  }

 private:
  std::shared_ptr<shared_file> file_;
  std::uint64_t begin_ = 0;
  std::uint64_t size_ = 0;  // 0: it has no place yet
};

runnel::error backlog::put_aside(spool& s) {
  if (s.size() <= most_in_memory || s.is_kept()) return {};
  if (!file_) {
    auto file = std::make_shared<shared_file>();
    if (runnel::error failed = file->open()) return failed;
    file_ = std::move(file);
  }
  auto place = std::make_unique<extent>(file_);
  if (runnel::error failed = place->fill(s)) return failed;
  s.keep_in(std::move(place));
  return {};
}

std::uint64_t backlog::disk_usage() const {
  struct stat status {};
  if (!file_ || ::fstat(file_->file().fd(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace runnel_cli
