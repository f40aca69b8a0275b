// Starting a process with posix_spawn.
//
// Everything that is passed on has a number above 2 before the child puts it into place, so that no redirection can
// overwrite what a later one needs; only redirect::to(0..2) may meet a stream that is itself redirected, and is then
// duplicated first. Everything that is opened here is close-on-exec: a process that somebody else starts at the same
// moment gets none of it.
#include <runnel/process.hpp>

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/go.hpp>

#include "base/file_descriptor.hpp"
#include "net/open.hpp"
#include "process/wait_id.hpp"

namespace runnel {
namespace detail {
namespace {

using kind = process_access::kind;

// It is a child of this process that nobody has waited for, whether it has ended or not.
bool is_child(int id_type, int id) noexcept {
  end_report report;
  return ask_for_end(id_type, id, WNOHANG | WNOWAIT, report) != ECHILD;
}

bool has_zero_byte(const std::string& s) noexcept { return s.find('\0') != std::string::npos; }

bool is_usable(const command& c) noexcept {
  if (c.arguments.empty() || has_zero_byte(c.directory) || has_zero_byte(c.program)) return false;
  if (std::any_of(c.arguments.begin(), c.arguments.end(), has_zero_byte)) return false;
  if (c.environment && std::any_of(c.environment->begin(), c.environment->end(), has_zero_byte))
    return false;
  return process_access::kind_of(c.input) != kind::output &&
         process_access::kind_of(c.output) != kind::output;
}

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

// What the child does before it runs the program; made when it is first needed.
class child_actions {
 public:
  child_actions() noexcept = default;
  child_actions(const child_actions&) = delete;
  child_actions& operator=(const child_actions&) = delete;
  ~child_actions() {
    if (made_) posix_spawn_file_actions_destroy(&actions_);
  }

  // Errnos, or zero.
  int change_directory(const std::string& to) noexcept {
    const int e = make();
    return e != 0 ? e : posix_spawn_file_actions_addchdir_np(&actions_, to.c_str());
  }
  int duplicate(int from, int to) noexcept {
    const int e = make();
    return e != 0 ? e : posix_spawn_file_actions_adddup2(&actions_, from, to);
  }
  int open_null(int stream) noexcept {
    const int e = make();
    if (e != 0) return e;
    const int mode = stream == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    return posix_spawn_file_actions_addopen(&actions_, stream, "/dev/null", mode, 0);
  }

  const posix_spawn_file_actions_t* get() const noexcept { return made_ ? &actions_ : nullptr; }

 private:
  int make() noexcept {
    if (made_) return 0;
    const int e = posix_spawn_file_actions_init(&actions_);
    made_ = e == 0;
    return e;
  }

  posix_spawn_file_actions_t actions_;
  bool made_ = false;
};

class launch {
 public:
  explicit launch(const command& c)
      : command_(c), redirects_{c.input, c.output, c.errors}, arguments_(pointers_to(c.arguments)) {
    if (c.environment) environment_ = pointers_to(*c.environment);
  }

  // An errno, or zero.
  int run(process& started) {
    int e = prepare_directory();
    for (int stream = 0; e == 0 && stream < stream_count; ++stream) e = prepare(stream);
    if (e != 0) return e;
    pid_t pid = 0;
    file_descriptor pidfd;
    e = blocking([&] { return start(pid, pidfd); });
    if (e != 0) return e;
    started = process_access::make(pid, pidfd.release(), command_.new_group);
    started.input() = std::move(ours_[0]);
    started.output() = std::move(ours_[1]);
    started.errors() = std::move(ours_[2]);
    return 0;
  }

 private:
  static constexpr int stream_count = 3;

  kind kind_of(int stream) const noexcept {
    return process_access::kind_of(redirects_[static_cast<std::size_t>(stream)]);
  }

  int prepare_directory() noexcept {
    return command_.directory.empty() ? 0 : actions_.change_directory(command_.directory);
  }

  int prepare(int stream) {
    const auto i = static_cast<std::size_t>(stream);
    switch (kind_of(stream)) {
      case kind::inherit:
        return 0;
      case kind::null:
        return actions_.open_null(stream);
      case kind::output:
        return actions_.duplicate(STDOUT_FILENO, stream);
      case kind::pipe:
        if (const int e = make_pipe(i); e != 0) return e;
        return actions_.duplicate(theirs_[i].get(), stream);
      case kind::descriptor:
        break;
    }
    const int fd = process_access::fd_of(redirects_[i]);
    if (fd < 0) return EBADF;
    if (!will_be_replaced(fd, stream)) return actions_.duplicate(fd, stream);
    theirs_[i] = file_descriptor(fcntl(fd, F_DUPFD_CLOEXEC, stream_count));
    return theirs_[i].get() < 0 ? errno : actions_.duplicate(theirs_[i].get(), stream);
  }

  // The streams are put into place in order; a duplicate of itself is no replacement.
  bool will_be_replaced(int fd, int stream) const noexcept {
    return fd < stream && kind_of(fd) != kind::inherit;
  }

  // Our end is non-blocking; the child's is not, for programs do not expect that.
  int make_pipe(std::size_t stream) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
    file_descriptor ours(ends[stream == STDIN_FILENO ? 1 : 0]);
    file_descriptor& theirs = theirs_[stream] =
        file_descriptor(ends[stream == STDIN_FILENO ? 0 : 1]);
    if (const int e = ours.leave_standard_numbers(); e != 0) return e;
    if (const int e = theirs.leave_standard_numbers(); e != 0) return e;
    if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return errno;
    ours_[stream] = net_access::make<pipe_end>(std::move(ours), file_kind::pipe);
    return 0;
  }

  // Blocks until the child has executed the program or failed to.
  int start(pid_t& pid, file_descriptor& pidfd) noexcept {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    set(attributes);
    const char* const program =
        command_.program.empty() ? arguments_.front() : command_.program.c_str();
    const int e = posix_spawnp(&pid, program, actions_.get(), &attributes, arguments_.data(),
                               environment_.empty() ? environ : environment_.data());
    posix_spawnattr_destroy(&attributes);
    for (file_descriptor& fd : theirs_) fd.reset();
    return e != 0 ? e : open_pidfd(pid, pidfd);
  }

  void set(posix_spawnattr_t& attributes) const noexcept {
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t to_default;
    sigemptyset(&to_default);
    sigaddset(&to_default, SIGPIPE);
    sigaddset(&to_default, SIGXFSZ);
    posix_spawnattr_setsigdefault(&attributes, &to_default);
    posix_spawnattr_setpgroup(&attributes, 0);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (command_.new_group) flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  }

  // The number is the child's own until somebody waits for it: the kernel where SIGCHLD is ignored, or a program that
  // waits for any child. By now it may be another process's, or one of our threads', hence the look at whose it is.
  static int open_pidfd(pid_t pid, file_descriptor& pidfd) noexcept {
    pidfd = file_descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    const int e = pidfd.get() < 0 ? errno : pidfd.leave_standard_numbers();
    if (e == 0 && is_child(by_pidfd, pidfd.get())) return 0;
    pidfd.reset();
    if (!is_child(by_pid, pid)) return 0;  // gone already
    ::kill(pid, SIGKILL);
    end_report report;
    ask_for_end(by_pid, pid, 0, report);
    return e;
  }

  const command& command_;
  const std::array<redirect, stream_count> redirects_;
  std::vector<char*> arguments_;
  std::vector<char*> environment_;  // without an element: this process's
  child_actions actions_;
  std::array<pipe_end, stream_count> ours_;
  std::array<file_descriptor, stream_count> theirs_;  // what was opened for the child alone
};

}  // namespace
}  // namespace detail

process spawn(const command& what, std::error_code& failure) {
  failure.clear();
  process started;
  const int e = detail::is_usable(what) ? detail::launch(what).run(started) : EINVAL;
  if (e == ENOMEM) throw std::bad_alloc();
  if (e != 0) failure = std::error_code(e, std::system_category());
  return started;
}

process spawn(const command& what) {
  std::error_code failure;
  process started = spawn(what, failure);
  if (failure)
    throw std::system_error(
        failure, "spawn " + (what.arguments.empty() ? std::string() : what.arguments.front()));
  return started;
}

}  // namespace runnel
