#include "files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

owned_fd open_unnamed() {
  const char* directory = std::getenv("TMPDIR");
  if (directory == nullptr || *directory == '\0') directory = "/tmp";
  owned_fd fd(::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  // A file system that knows no unnamed files.
  std::string name = std::string(directory) + "/runnel-XXXXXX";
  owned_fd named(::mkostemp(name.data(), O_CLOEXEC));
  if (named) ::unlink(name.c_str());
  return named;
}

// No error stays none.
runnel::error of_temporary(runnel::error why) {
  return runnel::wrap("temporary file", std::move(why));
}

}  // namespace

owned_fd::~owned_fd() {
  if (fd_ >= 0) ::close(fd_);
}

runnel::error errno_error() { return std::error_code(errno, std::generic_category()); }

ssize_t read_some(int fd, void* into, std::size_t size) {
  ssize_t n = 0;
  do {
    n = ::read(fd, into, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

runnel::error write_all(int fd, std::string_view text, std::size_t* written) {
  std::size_t unused = 0;
  std::size_t& done = written != nullptr ? *written : unused;
  for (done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {  // perhaps made so by a process that shares the open file
      if (runnel::error failed = runnel::wait_writable(fd)) return failed;
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

runnel::error replaced_file::write(std::string_view text) { return write_all(fd_.get(), text); }

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

runnel::error temporary_file::open() {
  fd_ = open_unnamed();
  return of_temporary(fd_ ? runnel::error() : errno_error());
}

runnel::error temporary_file::write(std::uint64_t offset, std::string_view text) {
  if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    return of_temporary(errno_error());
  }
  return of_temporary(write_all(fd_.get(), text));
}

runnel::error temporary_file::read(
    std::uint64_t offset, std::uint64_t size,
    const std::function<runnel::error(std::string_view)>& use) const {
  constexpr std::uint64_t piece_size = 64 * 1024;
  std::vector<char> piece(static_cast<std::size_t>(std::min(piece_size, size)));
  for (const std::uint64_t end = offset + size; offset < end;) {
    const auto wanted = static_cast<std::size_t>(std::min(piece_size, end - offset));
    const ssize_t n = ::pread(fd_.get(), piece.data(), wanted, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return of_temporary(n < 0 ? errno_error() : runnel::error("cut off"));
    if (runnel::error failed = use({piece.data(), static_cast<std::size_t>(n)})) return failed;
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace runnel_cli
