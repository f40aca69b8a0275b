#include "map/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace runnel_cli {

owned_fd::~owned_fd() {
  if (fd_ >= 0) ::close(fd_);
}

runnel::error errno_error() { return std::error_code(errno, std::generic_category()); }

runnel::error write_all(int fd, std::string_view text, std::size_t& written) {
  written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(fd, text.data() + written, text.size() - written);
    if (n >= 0) {
      written += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return errno_error();
    }
  }
  return {};
}

replaced_file::~replaced_file() {
  if (!partial_.empty()) ::unlinkat(directory_, partial_.c_str(), 0);
}

runnel::error replaced_file::open(int directory, std::string path) {
  directory_ = directory;
  path_ = std::move(path);
  struct stat status {};
  if (::fstatat(directory_, path_.c_str(), &status, 0) == 0 && !S_ISREG(status.st_mode)) {
    fd_ = owned_fd(::openat(directory_, path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    return fd_ ? runnel::error() : errno_error();
  }
  const std::string partial = path_ + "." + std::to_string(::getpid()) + ".partial";
  const auto create = [&] {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    return owned_fd(::openat(directory_, partial.c_str(), flags, 0666));
  };
  fd_ = create();
  if (!fd_ && errno == EEXIST) {  // left by a process of the same number that was killed
    ::unlinkat(directory_, partial.c_str(), 0);
    fd_ = create();
  }
  if (!fd_) return errno_error();
  partial_ = partial;
  return {};
}

runnel::error replaced_file::write(std::string_view text) {
  std::size_t written = 0;
  return write_all(fd_.get(), text, written);
}

runnel::error replaced_file::commit() {
  // Some file systems report a full disk only here.
  if (::close(fd_.release()) != 0 && errno != EINTR) return errno_error();
  if (partial_.empty()) return {};
  if (::renameat(directory_, partial_.c_str(), directory_, path_.c_str()) != 0) {
    return errno_error();
  }
  partial_.clear();
  return {};
}

}  // namespace runnel_cli
