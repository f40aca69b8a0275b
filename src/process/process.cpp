// The life of a process after its start: waiting, signals, its end.
//
// A process with a group of its own is left in the process table when its end is seen (WNOWAIT), and taken out by
// whoever lets go of the object: until then the kernel gives its number, which is the group's, to nobody else.
#include <runnel/process.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/go.hpp>

#include "process/wait_id.hpp"

namespace runnel {
namespace {

constexpr std::int64_t kibibyte = 1024;

error as_error(int number) { return std::error_code(number, std::system_category()); }

std::chrono::nanoseconds duration_of(const timeval& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

exit_status status_of(const detail::end_report& report) noexcept {
  exit_status s;
  const bool exited = report.how.si_code == CLD_EXITED;
  s.code = exited ? report.how.si_status : 0;
  s.signal = exited ? 0 : report.how.si_status;
  s.core_dumped = report.how.si_code == CLD_DUMPED;
  s.user_time = duration_of(report.used.ru_utime);
  s.system_time = duration_of(report.used.ru_stime);
  s.max_rss_bytes = report.used.ru_maxrss * kibibyte;
  return s;
}

// Go's words are those of the C library in lower case.
std::string name_of_signal(int number) {
  const char* const described = sigdescr_np(number);
  if (described == nullptr) return "signal " + std::to_string(number);
  std::string name(described);
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

}  // namespace

std::string exit_status::message() const {
  if (signal != 0)
    return "signal: " + name_of_signal(signal) + (core_dumped ? " (core dumped)" : "");
  return "exit status " + std::to_string(code);
}

// Without a descriptor the process was gone before one could be had: the program ignores SIGCHLD.
process detail::process_access::make(int pid, int pidfd, bool own_group) noexcept {
  process p;
  p.pid_ = pid;
  p.pidfd_ = pidfd;
  p.own_group_ = own_group;
  if (pidfd < 0) {
    p.unknown_ = true;
    p.status_.code = -1;
    p.ended_.store(true);
  }
  return p;
}

process::process(process&& other) noexcept { take(other); }

process& process::operator=(process&& other) noexcept {
  if (this != &other) {
    discard();
    take(other);
  }
  return *this;
}

void process::take(process& other) noexcept {
  pid_ = std::exchange(other.pid_, 0);
  pidfd_ = std::exchange(other.pidfd_, -1);
  own_group_ = std::exchange(other.own_group_, false);
  unreaped_ = std::exchange(other.unreaped_, false);
  unknown_ = std::exchange(other.unknown_, false);
  status_ = std::exchange(other.status_, {});
  ended_.store(other.ended_.exchange(false));
  pipes_ = std::move(other.pipes_);
}

// -- waiting ---------------------------------------------------------------------------------------------------------

error process::wait_until(std::int64_t deadline) {
  if (!ended() && pid_ != 0) {
    if (error e = detail::wait_descriptor(pidfd_, detail::poll_direction::read, deadline)) return e;
    finish(true);
  }
  return outcome();
}

error process::wait(const context& ctx) {
  if (!ended() && pid_ != 0) {
    if (error e = wait_readable(ctx, pidfd_)) return e;
    finish(true);
  }
  return outcome();
}

error process::outcome() const {
  return pid_ == 0 || unknown_ ? error(std::errc::no_child_process) : error();
}

// That its end cannot be had yet although its descriptor is ready happens where a debugger is told first. Where the
// descriptor could not be watched it may not have ended: then nothing happens.
void process::finish(bool is_ready) noexcept {
  if (ended()) return;
  detail::end_report report;
  const int keep = own_group_ ? WNOWAIT : 0;
  int e = detail::ask_for_end(detail::by_pidfd, pidfd_, keep | WNOHANG, report);
  if (e == 0 && report.how.si_pid == 0) {
    if (!is_ready) return;
    e = blocking([&] { return detail::ask_for_end(detail::by_pidfd, pidfd_, keep, report); });
  }
  if (e == 0) {
    status_ = status_of(report);
    unreaped_ = own_group_;
  } else {
    status_.code = -1;
    unknown_ = true;
  }
  ended_.store(true);
}

// -- signals ---------------------------------------------------------------------------------------------------------

error process::kill(int signal) {
  if (pid_ == 0 || ended()) return std::errc::no_such_process;
  return syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0) == 0 ? error()
                                                                         : as_error(errno);
}

error process::kill_group(int signal) {
  if (pid_ == 0) return std::errc::no_such_process;
  if (!own_group_) return std::errc::invalid_argument;
  if (ended() && unknown_) return std::errc::no_such_process;  // the number may be another's
  return ::kill(-pid_, signal) == 0 ? error() : as_error(errno);
}

// -- the end of the object -------------------------------------------------------------------------------------------

// Takes the process out of the process table, blocking until it has ended.
void process::reap() noexcept {
  detail::end_report report;
  blocking([&] { return detail::ask_for_end(detail::by_pidfd, pidfd_, 0, report); });
}

void process::discard() noexcept {
  if (pid_ == 0) return;
  if (!ended()) {
    if (own_group_) ::kill(-pid_, SIGKILL);
    syscall(SYS_pidfd_send_signal, pidfd_, SIGKILL, nullptr, 0);  // it may have left its group
    reap();
  }
  detach();
}

void process::detach() noexcept {
  if (unreaped_) {
    detail::end_report report;
    detail::ask_for_end(detail::by_pidfd, pidfd_, WNOHANG, report);
  }
  if (pidfd_ >= 0) close(pidfd_);
  for (pipe_end& p : pipes_) p.close();
  forget();
}

void process::forget() noexcept {
  pid_ = 0;
  pidfd_ = -1;
  own_group_ = unreaped_ = unknown_ = false;
  status_ = {};
  ended_.store(false);
}

}  // namespace runnel
