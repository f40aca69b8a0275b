#include "watch/quit.hpp"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>

#include "base/output.hpp"
#include "sched/scheduler.hpp"
#include "watch/dump.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t stack_bytes = 512 * 1024;

sem_t asked;
pid_t owner = 0;

// In the child of a fork the thread that would report does not exist: there the signal does what it does by default.
void on_quit(int number) {
  const int saved = errno;
  if (getpid() == owner) {
    sem_post(&asked);
  } else {
    std::signal(number, SIG_DFL);
    raise(number);
  }
  errno = saved;
}

void* wait_and_report(void*) {
  while (sem_wait(&asked) != 0) {
  }
  write_stderr("SIGQUIT: quit\n\n");
  print_goroutines();
  end_process(2);
}

// A handler can do little, hence a thread; it takes no signals itself.
bool start_reporter() noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  sched.runtime_threads.fetch_add(1);
  pthread_t thread;
  const bool started = pthread_create(&thread, &attributes, wait_and_report, nullptr) == 0;
  if (!started) sched.runtime_threads.fetch_sub(1);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace

void install_quit_handler() noexcept {
  struct sigaction now {};
  if (sigaction(SIGQUIT, nullptr, &now) != 0) return;
  if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) return;
  owner = getpid();
  if (sem_init(&asked, 0, 0) != 0 || !start_reporter()) return;
  struct sigaction ours {};
  ours.sa_handler = on_quit;
  ours.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGQUIT, &ours, nullptr);
}

}  // namespace runnel::detail
