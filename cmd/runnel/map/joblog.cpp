#include "map/joblog.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/go.hpp>

#include "backslashed.hpp"
#include "command.hpp"
#include "read_number.hpp"

namespace runnel_cli {
namespace {

constexpr std::string_view header =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

std::string name_of(const std::string& path) { return "job log '" + path + "'"; }

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw usage_error(name_of(path) + ": " + why);
}

[[noreturn]] void fail_errno(const std::string& path) { fail(path, errno_error().message()); }

[[noreturn]] void fail_not_a_log(const std::string& path) {
  fail(path, "not a job log (it does not start with 'Seq', 'Host', 'Starttime' and so on)");
}

std::string format_line(const job_result& r) {
  using std::chrono::milliseconds;
  const std::int64_t start = std::chrono::floor<milliseconds>(r.start.time_since_epoch()).count();
  const double runtime = std::chrono::duration<double>(r.runtime).count();
  const bool reads_as_success = r.exit_code == 0 && r.signal == 0;
  const int exit_code = reads_as_success && !is_success(r) ? -1 : r.exit_code;
  char fields[200];
  std::snprintf(fields, sizeof fields,
                "%" PRIu64 "\t:\t%" PRId64 ".%03d\t%10.3f\t%" PRIu64 "\t%" PRIu64 "\t%d\t%d\t",
                r.number, start / 1000, static_cast<int>(start % 1000), runtime, r.bytes_in,
                r.bytes_out, exit_code, r.signal);
  return fields + backslashed(r.command, "\t\n\r\\") + '\n';
}

// Reads exactly [offset, offset + size), or less at the end of the file.
std::string read_at(int fd, const std::string& path, off_t offset, std::size_t size) {
  std::string text(size, '\0');
  std::size_t count = 0;
  while (count < size) {
    const ssize_t n =
        ::pread(fd, text.data() + count, size - count, offset + static_cast<off_t>(count));
    if (n == 0) break;
    if (n > 0) {
      count += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      fail_errno(path);
    }
  }
  text.resize(count);
  return text;
}

// Where the last whole line of a file of `size` bytes ends.
off_t end_of_last_line(int fd, const std::string& path, off_t size) {
  constexpr off_t block_size = 64 * 1024;
  while (size > 0) {
    const off_t start = std::max<off_t>(0, size - block_size);
    const std::string block = read_at(fd, path, start, static_cast<std::size_t>(size - start));
    const std::size_t line_break = block.rfind('\n');
    if (line_break != std::string::npos) return start + static_cast<off_t>(line_break) + 1;
    size = start;
  }
  return 0;
}

// Leaves whole lines only. A file that is no job log is not touched.
void cut_partial_line(int fd, const std::string& path, off_t size) {
  const std::string first = read_at(fd, path, 0, header.size());
  if (!header.starts_with(first)) fail_not_a_log(path);
  const off_t end = end_of_last_line(fd, path, size);
  if (end < size && ::ftruncate(fd, end) != 0) fail_errno(path);
}

// Cuts off the last `count` bytes, which we wrote, unless somebody has written after them.
void take_back(int fd, std::size_t count) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const off_t end = ::lseek(fd, 0, SEEK_CUR);
  if (end != status.st_size) return;
  // A failure leaves a part of a line, which a later run cuts off; the caller reports why it came.
  [[maybe_unused]] const int ignored = ::ftruncate(fd, end - static_cast<off_t>(count));
}

// The lines of a file, without their line breaks; of long ones only the beginning. A last line
// without a line break is left out.
class line_heads {
 public:
  line_heads(int fd, const std::string& path) : fd_(fd), path_(path) {}

  // False: no more lines.
  bool next(std::string& head) {
    head.clear();
    for (;;) {
      if (rest_.empty() && !refill()) return false;
      const std::size_t end = rest_.find('\n');
      const std::string_view part = rest_.substr(0, end);
      head += part.substr(0, longest - head.size());
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      if (end != std::string_view::npos) return true;
    }
  }

 private:
  static constexpr std::size_t longest = 4096;  // the fields before the command are far shorter

  bool refill() {
    const ssize_t n = read_some(fd_, block_.data(), block_.size());
    if (n < 0) fail_errno(path_);
    rest_ = std::string_view(block_.data(), static_cast<std::size_t>(n));
    return n > 0;
  }

  int fd_;
  const std::string& path_;
  std::array<char, 64 * 1024> block_;
  std::string_view rest_;  // of block_, not yet returned
};

struct entry {
  std::uint64_t number = 0;
  bool success = false;
};

std::optional<entry> parse_entry(std::string_view line) {
  std::array<std::string_view, 8> fields;  // all but the command, each with a tab after it
  for (std::string_view& field : fields) {
    const std::size_t end = line.find('\t');
    if (end == std::string_view::npos) return std::nullopt;
    field = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  entry e;
  int exit_code = 0;
  int signal = 0;
  if (!read_number(fields[0], e.number) || e.number == 0) return std::nullopt;
  if (!read_number(fields[6], exit_code) || !read_number(fields[7], signal)) return std::nullopt;
  e.success = exit_code == 0 && signal == 0;
  return e;
}

[[noreturn]] void fail_line(const std::string& path, std::uint64_t line) {
  throw usage_error(name_of(path) + ", line " + std::to_string(line) +
                    ": not the line of a job: expected nine fields separated by tabs, with a job "
                    "number from 1 as the first and an exit status and a signal as the seventh "
                    "and eighth");
}

}  // namespace

joblog joblog::open(const std::string& path, bool append) {
  joblog log;
  log.path_ = path;
  const int mode = append ? O_RDWR : O_WRONLY | O_TRUNC;
  log.fd_ = owned_fd(::open(path.c_str(), mode | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!log.fd_) fail_errno(path);
  const int fd = log.fd_.get();
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail_errno(path);
  if (S_ISREG(status.st_mode) && status.st_size > 0) {
    cut_partial_line(fd, path, status.st_size);
    if (::fstat(fd, &status) != 0) fail_errno(path);
  }
  if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    if (const runnel::error e = log.append_line(std::string(header))) {
      throw usage_error(e.message());
    }
  }
  return log;
}

runnel::error joblog::add(const job_result& r) {
  if (!fd_) return {};
  const std::string line = format_line(r);
  return runnel::blocking([&] { return append_line(line); });
}

runnel::error joblog::append_line(const std::string& line) {
  std::size_t written = 0;
  runnel::error failure = write_all(fd_.get(), line, &written);
  if (failure && written > 0) take_back(fd_.get(), written);
  return runnel::wrap(name_of(path_), std::move(failure));
}

bool resumed::skip(std::uint64_t number) const {
  const auto found = chunks_.find(number / chunk_bits);
  if (found == chunks_.end()) return false;
  const std::uint64_t bit = number % chunk_bits;
  return (found->second[bit / 64] >> (bit % 64) & 1) != 0;
}

void resumed::insert(std::uint64_t number) {
  if (skip(number)) return;
  const std::uint64_t bit = number % chunk_bits;
  chunks_[number / chunk_bits][bit / 64] |= std::uint64_t{1} << (bit % 64);
  ++count_;
}

void resumed::erase(std::uint64_t number) {
  if (!skip(number)) return;
  const std::uint64_t bit = number % chunk_bits;
  chunks_[number / chunk_bits][bit / 64] &= ~(std::uint64_t{1} << (bit % 64));
  --count_;
}

resumed read_joblog(const std::string& path, bool rerun_failed) {
  resumed done;
  // O_NONBLOCK: a FIFO must not hold the open up.
  const owned_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd && errno == ENOENT) return done;
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) fail_errno(path);
  if (!S_ISREG(status.st_mode)) fail(path, "cannot resume from what is not a regular file");
  line_heads lines(fd.get(), path);
  std::string line;
  for (std::uint64_t at = 1; lines.next(line); ++at) {
    if (at == 1) {
      if (line != header.substr(0, header.size() - 1)) fail_not_a_log(path);
      continue;
    }
    const std::optional<entry> e = parse_entry(line);
    if (!e) fail_line(path, at);
    if (e->success || !rerun_failed) {
      done.insert(e->number);
    } else {
      done.erase(e->number);
    }
  }
  return done;
}

}  // namespace runnel_cli
