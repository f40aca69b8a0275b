#include "map/supervise.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.hpp"
#include "map/process_table.hpp"

namespace runnel_cli {
namespace {

pid_t first_process = 0;  // written before the forks

constexpr int runtime_failed = 2;  // a fatal error of the runtime, or SIGQUIT; not two failed jobs

// The worker's body has returned. In memory that all three processes share.
std::atomic<bool>* ended_by_itself = nullptr;

constexpr int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

pid_t fork_or_fail() {
  std::fflush(nullptr);  // so that nothing is written twice
  const pid_t child = ::fork();
  if (child < 0) fail("fork");
  return child;
}

std::vector<pid_t> children() {
  std::vector<pid_t> found;
  for_each_process([&](const process_entry& p) {
    if (p.parent == ::getpid()) found.push_back(p.id);
  });
  return found;
}

// Kills all below this process, a subreaper: who loses his parent by that becomes a child, and is killed in turn. Not
// `spared`, children that this process had before it did anything.
void kill_all_below(const std::vector<pid_t>& spared = {}) {
  for (;;) {
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (reaped < 0 && errno == ECHILD) return;
    std::vector<pid_t> now = children();
    std::erase_if(now, [&](pid_t c) { return std::ranges::find(spared, c) != spared.end(); });
    if (now.empty() && !spared.empty()) return;
    for (const pid_t child : now) ::kill(child, SIGKILL);
    // Without /proc nobody can be named; then they are waited for.
    ::waitpid(-1, nullptr, 0);
  }
}

sigset_t set_of(std::span<const int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

// Blocks `numbers`, which come from the descriptor instead from now on; negative: errno says why not.
int take_signals(const std::vector<int>& numbers) {
  const sigset_t set = set_of(numbers);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Zero: none is pending.
int next_signal(int fd) {
  signalfd_siginfo info;
  return ::read(fd, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

// Whoever started the tool may have had signals blocked; threads that are started inherit that.
void listen_to_user() {
  const sigset_t set = set_of(forwarded);
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

// The worker's side. exit() and not a return, so that the frames below, which are the user's process's, run nothing.
[[noreturn]] void work(const std::function<int()>& body, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  listen_to_user();
  const auto leave = [&](int status) {
    *ended_by_itself = true;
    std::exit(status);
  };
  if (::getppid() != supervisor) ::_exit(exit_usage);
  try {
    leave(body());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "runnel: %s\n", e.what());
    leave(exit_usage);
  }
  ::_exit(exit_usage);
}

void use_null_streams() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  ::close(null);
}

// Passes the worker's end on: its status, or the signal that ended it.
[[noreturn]] void end_as(int status) {
  kill_all_below();
  if (WIFSIGNALED(status)) {
    ::prctl(PR_SET_DUMPABLE, 0);  // the worker's core is the one to look at
    ::signal(WTERMSIG(status), SIG_DFL);
    ::raise(WTERMSIG(status));
  }
  if (!WIFEXITED(status)) ::_exit(exit_usage);
  const bool by_the_runtime = WEXITSTATUS(status) == runtime_failed && !*ended_by_itself;
  ::_exit(by_the_runtime ? exit_usage : WEXITSTATUS(status));
}

void reap(pid_t worker) {
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (ended == worker) end_as(status);
  }
}

// Passes signals on; at the pipe's end the user's process has gone.
void pass_on(int from_user, pid_t worker) {
  unsigned char signals[16];
  const ssize_t n = ::read(from_user, signals, sizeof signals);
  if (n == 0) {
    kill_all_below();
    ::_exit(exit_usage);
  }
  for (ssize_t i = 0; i < n; ++i) ::kill(worker, signals[i]);
}

[[noreturn]] void supervise(int from_user, const std::function<int()>& body) {
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t self = ::getpid();
  const pid_t worker = ::fork();
  if (worker < 0) {
    std::perror("runnel: fork");
    ::_exit(exit_usage);
  }
  if (worker == 0) {
    ::close(from_user);
    work(body, self);
  }

  for (const int number : forwarded) ::signal(number, SIG_IGN);
  const int ended = take_signals({SIGCHLD});
  if (ended < 0) {
    std::perror("runnel: signalfd");
    kill_all_below();
    ::_exit(exit_usage);
  }
  ::prctl(PR_SET_NAME, "supervisor");  // not to be hit by killall
  use_null_streams();
  for (;;) {
    reap(worker);  // first, for he may have ended before SIGCHLD was blocked
    pollfd wait[] = {{from_user, POLLIN, 0}, {ended, POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0) continue;
    while (next_signal(ended) != 0) {
    }
    if (wait[0].revents != 0) pass_on(from_user, worker);
  }
}

// The user's process.

// Signals that it ignores (nohup) stay ignored.
std::vector<int> to_forward() {
  std::vector<int> numbers;
  for (const int number : forwarded) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_IGN)
      numbers.push_back(number);
  }
  return numbers;
}

int status_from(int status, const std::vector<pid_t>& children_before) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  kill_all_below(children_before);
  const int number = WTERMSIG(status);
  // It came before the worker was ready to take it.
  if (number == SIGINT || number == SIGTERM || number == SIGHUP) return exit_by_signal + number;
  std::fprintf(stderr, "runnel: ended by signal %d (%s); all jobs were killed\n", number,
               ::strsignal(number));
  return exit_usage;
}

// Sends each signal as a byte, until the supervisor has ended. A full pipe means that thousands are on their way.
int forward_until_end(pid_t supervisor, int to_supervisor,
                      const std::vector<pid_t>& children_before) {
  std::vector<int> numbers = to_forward();
  numbers.push_back(SIGCHLD);
  const int signals = take_signals(numbers);
  if (signals < 0) fail("signalfd");  // which ends this process, and by that the supervisor
  ::signal(SIGPIPE, SIG_IGN);
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(supervisor, &status, WNOHANG);
    if (ended == supervisor) return status_from(status, children_before);
    if (ended < 0 && errno != EINTR) fail("waitpid");
    pollfd wait{signals, POLLIN, 0};
    ::poll(&wait, 1, -1);
    while (const int number = next_signal(signals)) {
      if (number == SIGCHLD) continue;
      const auto byte = static_cast<unsigned char>(number);
      [[maybe_unused]] const ssize_t n = ::write(to_supervisor, &byte, 1);
    }
  }
}

}  // namespace

pid_t user_process() noexcept { return first_process != 0 ? first_process : ::getpid(); }

int supervised(const std::function<int()>& body) {
  first_process = ::getpid();
  void* const shared = ::mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  ended_by_itself = new (shared) std::atomic<bool>(false);
  ::signal(SIGCHLD, SIG_DFL);  // where it was ignored, nobody could be waited for
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
  // A shell that became this process by exec may have left it children.
  const bool has_children = ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) == 0;
  const std::vector<pid_t> children_before = has_children ? children() : std::vector<pid_t>();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t supervisor = fork_or_fail();
  if (supervisor == 0) {
    ::close(ends[1]);
    supervise(ends[0], body);
  }
  ::close(ends[0]);
  return forward_until_end(supervisor, ends[1], children_before);
}

}  // namespace runnel_cli
