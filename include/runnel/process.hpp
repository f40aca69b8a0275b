// Processes: starting programs, talking to them through pipes and waiting for their end without blocking a thread.
// Component runnel::net.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <runnel/context.hpp>
#include <runnel/detail/socket.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <runnel/poll.hpp>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace runnel {

namespace detail {
struct process_access;
}

/// Where a standard stream of a process leads.
class redirect {
 public:
  /// Where the same stream of this process leads; nowhere if that is closed or close-on-exec.
  static constexpr redirect inherit() noexcept { return {kind::inherit, -1}; }
  /// To /dev/null: reading finds the end, what is written is dropped.
  static constexpr redirect null() noexcept { return {kind::null, -1}; }
  /// To a pipe whose other end is the process's input(), output() or errors().
  static constexpr redirect pipe() noexcept { return {kind::pipe, -1}; }
  /// To a duplicate of `fd`, which has to be open until spawn() has returned and stays the caller's. It is looked at
  /// before anything is redirected, so that output to 2 and errors to 1 change places.
  static constexpr redirect to(int fd) noexcept { return {kind::descriptor, fd}; }
  /// To where standard output goes; for standard error only.
  static constexpr redirect to_output() noexcept { return {kind::output, -1}; }

 private:
  friend struct detail::process_access;
  enum class kind : std::uint8_t { inherit, null, pipe, descriptor, output };
  constexpr redirect(kind k, int fd) noexcept : kind_(k), fd_(fd) {}

  kind kind_;
  int fd_;
};

/// A program and what it is started with.
struct command {
  /// [0] is the program, looked up in this process's PATH unless it has a slash; a relative one then counts from
  /// `directory`.
  std::vector<std::string> arguments;
  std::string
      program{};  ///< what is executed in place of arguments[0], which the program still sees; empty: none
  std::optional<std::vector<std::string>> environment{};  ///< "NAME=value"; none: this process's
  std::string directory{};                                ///< empty: this process's
  redirect input = redirect::inherit();
  redirect output = redirect::inherit();
  redirect errors = redirect::inherit();
  bool new_group = false;  ///< a process group of its own, for kill_group()
};

/// How a process ended and what it used, its own children that it waited for included.
struct exit_status {
  int code = 0;    ///< exit status, if it ended by itself; -1: nobody knows (see process::wait)
  int signal = 0;  ///< that ended it, or 0
  bool core_dumped = false;  ///< the signal left a core dump
  std::chrono::nanoseconds user_time{};
  std::chrono::nanoseconds system_time{};
  /// The most memory that it had at once, but not less than what this process had when it started it: the kernel
  /// counts the time before the program was loaded, too.
  std::int64_t max_rss_bytes = 0;

  /// It ended by itself, with status 0.
  bool success() const noexcept { return code == 0 && signal == 0; }
  /// As Go says it: "exit status 3", "signal: killed", "signal: aborted (core dumped)".
  std::string message() const;
};

/// This process's end of a redirect::pipe(). Move-only; owns the descriptor, which is non-blocking and close-on-exec.
///
/// In all that the two share it is a stream: buffers, failures, contexts, deadlines, who may use it at once. An end of the
/// other direction gives std::errc::bad_file_descriptor, as a closed one does. Where main blocks and
/// deadlock_action::throw_error is chosen, a call that blocks may throw deadlock_error as any other.
class pipe_end : private stream {
 public:
  /// Closed.
  pipe_end() noexcept = default;

  using stream::close;  // the process finds the end of its input, or cannot write any more
  using stream::is_open;
  using stream::native_handle;
  using stream::read;
  using stream::read_some;
  using stream::set_deadline;
  using stream::set_read_deadline;
  using stream::set_write_deadline;
  using stream::write;
  using stream::write_some;

  /// native_handle().
  int fd() const noexcept { return native_handle(); }

  /// As read_some(), but does not block, whatever the deadline: std::errc::resource_unavailable_try_again if nothing is
  /// there.
  std::size_t try_read(std::span<char> into, std::error_code& failure);
  /// As write_some(), but does not block, whatever the deadline: std::errc::resource_unavailable_try_again if there is no
  /// room.
  std::size_t try_write(std::span<const char> from, std::error_code& failure);

  /// Reads up to the end, blocking. With a failure: what came before it. Throws std::bad_alloc when there is no memory.
  std::string read_all(std::error_code& failure);
  std::string read_all();
  std::string read_all(const context& ctx, std::error_code& failure);
  std::string read_all(const context& ctx);
  /// Writes all of `text`, blocking while there is no room. With a failure some of it may have been written.
  void write_all(std::string_view text, std::error_code& failure) { write(text, failure); }
  void write_all(std::string_view text) { write(text); }
  void write_all(const context& ctx, std::string_view text, std::error_code& failure) {
    write(ctx, text, failure);
  }
  void write_all(const context& ctx, std::string_view text) { write(ctx, text); }

 private:
  friend struct detail::net_access;
  explicit pipe_end(detail::socket* s) noexcept : stream(s) {}

  // Without a context where `ctx` is null.
  std::string read_to_end(const context* ctx, std::error_code& failure);
};

/// A child process. Move-only.
///
/// Its members are for one goroutine or thread at a time, but for kill() and kill_group(), which any number may call
/// while another waits, and for the three pipe ends, each of which is independent of the rest. A process that is being
/// waited for, or that a select case refers to, may not be moved.
class process {
 public:
  /// No process.
  process() noexcept = default;
  process(process&& other) noexcept;
  process& operator=(process&& other) noexcept;
  /// Kills the process (SIGKILL; with command::new_group its group) if it has not ended, and blocks until it has. No
  /// effect after detach().
  ~process() { discard(); }

  /// Its number (pid); 0: no process.
  int id() const noexcept { return pid_; }
  /// A wait() or an on_exit() has seen its end.
  bool ended() const noexcept { return ended_.load(); }

  /// Blocks until the process has ended: no error then, whatever its status. At once if it is known to have ended. That
  /// its output has been read or closed by others is not waited for.
  ///
  /// std::errc::no_child_process: there is no process, or it has ended and nobody knows how, and then status().code
  /// is -1. The latter happens where somebody else waits for any child of the program, or while the program ignores
  /// SIGCHLD (SIG_IGN or SA_NOCLDWAIT), so that the kernel keeps no statuses: leave SIGCHLD alone. Otherwise what
  /// wait_readable() gives when it cannot watch any more descriptors.
  error wait() { return wait_until(detail::never); }
  /// The same until `ctx` is done, first or from the start: then its error, and the process goes on.
  error wait(const context& ctx);
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`: std::errc::timed_out if the process
  /// has not ended then. A deadline that is past: does not block.
  template <detail::any_time_point TP>
  error wait(TP deadline) {
    return wait_until(detail::deadline_at(deadline));
  }
  /// How it ended; all zeros before ended().
  const exit_status& status() const noexcept { return status_; }

  /// Sends `signal` to the process. Does not block.
  ///
  /// std::errc::no_such_process once it has ended() or if there is none: another process that was given its number is
  /// never hit. std::errc::invalid_argument for a number that is no signal, std::errc::operation_not_permitted if it
  /// may not be sent. No error for a process whose end has not been waited for yet.
  error kill(int signal = SIGKILL);
  /// Sends `signal` to all of its process group, also when the process itself has ended and others of the group go on.
  /// Does not block.
  ///
  /// The group's number stays taken until this object is destroyed or detach()ed, at the price of an entry in the
  /// process table: another group is never hit (except while SIGCHLD is ignored). So there is no error, either, when
  /// nobody but the ended process is left. std::errc::invalid_argument without command::new_group or for a number that
  /// is no signal, std::errc::no_such_process if there is no process or its end is known but not how it ended,
  /// std::errc::operation_not_permitted if none may be sent it.
  error kill_group(int signal = SIGKILL);
  /// Lets the process go on without this object, which has none from then on; its pipe ends are closed. After its end
  /// it stays in the process table until this program ends, unless the program ignores SIGCHLD.
  void detach() noexcept;

  /// Our ends of its standard streams: open where the command asked for redirect::pipe() and nobody has closed them.
  /// They outlive neither this object nor detach(), unless they are moved from it.
  pipe_end& input() noexcept { return pipes_[0]; }
  pipe_end& output() noexcept { return pipes_[1]; }
  pipe_end& errors() noexcept { return pipes_[2]; }

 private:
  friend struct detail::process_access;

  error wait_until(std::int64_t deadline);
  error outcome() const;
  void finish(bool is_ready) noexcept;
  void reap() noexcept;
  void discard() noexcept;
  void forget() noexcept;
  void take(process& other) noexcept;

  // Immutable from spawn() to detach() or the end of the object, so that kill() may look while another waits.
  int pid_ = 0;
  int pidfd_ = -1;
  bool own_group_ = false;
  // Written by the one who waits, before ended_.
  bool unreaped_ =
      false;  // it has ended, and its entry in the process table is kept for kill_group()
  bool unknown_ = false;  // the kernel does not tell how it ended
  exit_status status_;
  std::atomic<bool> ended_{false};
  std::array<pipe_end, 3> pipes_;
};

/// Starts a program. Blocks until the system has loaded it; other goroutines go on meanwhile.
///
/// In the new process no signal is blocked, SIGPIPE and SIGXFSZ do what they do by default, others are ignored as here,
/// and standard streams are where the command says. No descriptor of this library is open there; others are unless they
/// are close-on-exec.
///
/// `failure` is what the system says: std::errc::no_such_file_or_directory or std::errc::permission_denied if the
/// program cannot be run or the directory not be entered, std::errc::not_a_directory, std::errc::bad_file_descriptor
/// for a redirect::to() that is not open, std::errc::too_many_files_open, std::errc::resource_unavailable_try_again
/// when there may be no more processes, std::errc::function_not_supported before Linux 5.4;
/// std::errc::invalid_argument for a command without arguments, one with a zero byte inside a string, and
/// redirect::to_output() for another stream than errors. The result is no process then; where no descriptor is left to
/// watch it with, the program was started and has been killed. Throws std::bad_alloc when there is no memory.
process spawn(const command& what, std::error_code& failure);
/// The same; throws the failure as std::system_error.
process spawn(const command& what);

namespace detail {

// The way in for what is not a member.
struct process_access {
  using kind = redirect::kind;
  static kind kind_of(redirect r) noexcept { return r.kind_; }
  static int fd_of(redirect r) noexcept { return r.fd_; }
  static process make(int pid, int pidfd, bool own_group) noexcept;
  static int pidfd_of(const process& p) noexcept { return p.pidfd_; }
  static void finish(process& p, bool is_ready) noexcept { p.finish(is_ready); }
};

/// Ready when the process's descriptor says that it has ended; never for no process.
class exit_case : public descriptor_case {
 public:
  explicit exit_case(process& p)
      : descriptor_case(process_access::pidfd_of(p), poll_direction::read), process_(&p) {}

  spinlock* lock() noexcept { return process_->id() != 0 ? descriptor_case::lock() : nullptr; }

 protected:
  ~exit_case() = default;
  // Where the end could not be watched for, the process may go on.
  void finish() {
    const error failed = failure();
    process_access::finish(*process_, !failed);
    if (!process_->ended()) failed.rethrow();
  }

 private:
  process* process_;
};

template <class H>
class exit_handler_case final : public exit_case {
 public:
  static constexpr bool is_otherwise = false;

  exit_handler_case(process& p, H handler) : exit_case(p), handler_(std::move(handler)) {}
  void run() {
    finish();
    std::invoke(handler_);
  }

 private:
  [[no_unique_address]] H handler_;
};

}  // namespace detail

/// A select case that goes ahead when `p` has ended, as process::wait() would; `handler()` runs after the select has
/// decided, and status() is valid in it. Never ready if there is no process. Refers to `p`.
///
/// Throws std::system_error if the poller cannot be opened (no more descriptors), std::bad_alloc when there is no
/// memory. Where the system cannot watch any more descriptors and the process goes on, the select throws what wait()
/// would give as std::system_error, without a call of the handler; no other case has gone ahead then.
template <class H>
requires std::invocable < std::decay_t<H>
& > auto on_exit(process& p, H&& handler) {
  return detail::exit_handler_case<std::decay_t<H>>(p, std::forward<H>(handler));
}
inline auto on_exit(process& p) {
  return on_exit(p, [] {});
}

}  // namespace runnel
