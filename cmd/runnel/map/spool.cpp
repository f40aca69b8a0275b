#include "map/spool.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

constexpr std::size_t most_in_memory = 256 * 1024;

runnel::error system_error() { return std::error_code(errno, std::generic_category()); }

int unnamed_file() {
  const char* directory = std::getenv("TMPDIR");
  if (directory == nullptr || *directory == '\0') directory = "/tmp";
  const int fd = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // A file system that knows no unnamed files.
  std::string name = std::string(directory) + "/runnel-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

runnel::error write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (runnel::error failed = runnel::wait_writable(fd)) return failed;
    } else if (errno != EINTR) {
      return system_error();
    }
  }
  return {};
}

spool::~spool() {
  if (file_ >= 0) ::close(file_);
}

runnel::error spool::spill() {
  const int fd = unnamed_file();
  if (fd < 0) return runnel::wrap("temporary file", system_error());
  if (runnel::error failed = write_fully(fd, text_)) {
    ::close(fd);
    return runnel::wrap("temporary file", failed);
  }
  file_ = fd;
  text_ = {};
  return {};
}

runnel::error spool::add(std::string_view bytes) {
  if (file_ < 0 && text_.size() + bytes.size() <= most_in_memory) {
    text_ += bytes;
    size_ += bytes.size();
    return {};
  }
  if (file_ < 0) {
    if (runnel::error failed = spill()) return failed;
  }
  if (runnel::error failed = write_fully(file_, bytes))
    return runnel::wrap("temporary file", failed);
  size_ += bytes.size();
  return {};
}

runnel::error spool::for_each(const std::function<runnel::error(std::string_view)>& use) const {
  if (file_ < 0) return text_.empty() ? runnel::error() : use(text_);
  std::vector<char> buffer(64 * 1024);
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t n = ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return runnel::wrap("temporary file", n < 0 ? system_error() : runnel::error("cut off"));
    if (runnel::error failed = use({buffer.data(), static_cast<std::size_t>(n)})) return failed;
    at += static_cast<std::uint64_t>(n);
  }
  return {};
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
