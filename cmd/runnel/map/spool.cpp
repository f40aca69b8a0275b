#include "map/spool.hpp"

#include <cassert>
#include <string>
#include <utility>

namespace runnel_cli {
namespace {

constexpr std::size_t most_in_memory = 256 * 1024;

}  // namespace

runnel::error spool::spill() {
  temporary_file file;
  if (runnel::error failed = file.open()) return failed;
  if (runnel::error failed = file.write(0, text_)) return failed;
  file_ = std::move(file);
  free_memory(text_);
  return {};
}

runnel::error spool::add(std::string_view bytes) {
  assert(!place_);
  if (!file_ && text_.size() + bytes.size() <= most_in_memory) {
    text_ += bytes;
  } else {
    if (!file_) {
      if (runnel::error failed = spill()) return failed;
    }
    if (runnel::error failed = file_.write(size_, bytes)) return failed;
  }
  size_ += bytes.size();
  return {};
}

void spool::keep_in(std::unique_ptr<const stored> place) {
  place_ = std::move(place);
  file_ = {};
  free_memory(text_);
}

runnel::error spool::for_each(const std::function<runnel::error(std::string_view)>& use) const {
  if (place_) return place_->for_each(use);
  if (file_) return file_.read(0, size_, use);
  return text_.empty() ? runnel::error() : use(text_);
}

std::string spool::text() const {
  std::string all;
  const runnel::error failed = for_each([&](std::string_view piece) {
    all += piece;
    return runnel::error();
  });
  failed.rethrow();
  return all;
}

}  // namespace runnel_cli
