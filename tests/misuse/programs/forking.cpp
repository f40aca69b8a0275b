// fork without exec: the child may do anything but use the runtime.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;

namespace {

/// Forks on the plain main thread after the runtime has run; says how the child ended.
template <class F>
void fork_and_wait(F in_child) {
  runnel::run([] {
    runnel::wait_group wg;
    for (int i = 0; i < 10; ++i) wg.go([] { runnel::yield(); });
    wg.wait();
  });
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    in_child();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  // The parent is none the worse.
  runnel::run([] {
    runnel::wait_group wg;
    for (int i = 0; i < 10; ++i) wg.go([] { runnel::yield(); });
    wg.wait();
  });
  std::printf("child: exit %d signal %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
              WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

}  // namespace

SCENARIO(child_does_nothing) {
  fork_and_wait([] {});
}
SCENARIO(child_starts_a_goroutine) {
  fork_and_wait([] { runnel::go([] {}); });
}
SCENARIO(child_calls_run) {
  fork_and_wait([] { runnel::run([] {}); });
}
SCENARIO(child_sleeps) {
  fork_and_wait([] { (void)runnel::chan<int>().recv_for(1ms); });
}
SCENARIO(child_receives) {
  fork_and_wait([] { (void)runnel::chan<int>().recv(); });
}
SCENARIO(child_execs) {
  fork_and_wait([] { ::execl("/bin/true", "true", nullptr); });
}
// Before the runtime has started the child is as good as the parent.
SCENARIO(before_the_start) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int got = 0;
    runnel::run([&] {
      runnel::chan<int> c;
      runnel::go([=] { c.send(7); });
      got = *c.recv();
    });
    ::_exit(got);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  std::printf("child: exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

SCENARIO_MAIN()
