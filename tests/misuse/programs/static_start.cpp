// Goroutines started by static initialisers, before main (DL-02, NP-16).
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/timerfd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel_test::say;

namespace {

bool wanted(const char* what) {
  const char* v = std::getenv("STATIC_START");
  return v != nullptr && std::strcmp(v, what) == 0;
}

runnel::chan<int> before_main(4);
std::atomic<int> ran{0};

const bool started = [] {
  if (wanted("go")) {
    for (int i = 0; i < 4; ++i)
      runnel::go([i] {
        ++ran;
        before_main.send(i);
      });
  }
  if (wanted("run")) {
    runnel::run([] {
      runnel::wait_group wg;
      for (int i = 0; i < 4; ++i) wg.go([] { ++ran; });
      wg.wait();
    });
  }
  if (wanted("deadlock")) runnel::run([] { runnel::chan<int>().recv(); });
  if (wanted("descriptor")) {
    runnel::run([] {
      const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
      const struct itimerspec t {
        {0, 0}, { 0, 500'000'000 }
      };
      if (::timerfd_settime(fd, 0, &t, nullptr) != 0) std::abort();
      if (runnel::wait_readable(fd)) std::abort();
      ++ran;
    });
  }
  return true;
}();

}  // namespace

SCENARIO(count) {
  if (!started) std::abort();
  std::printf("%d\n", ran.load());
}

SCENARIO(receive) {
  runnel::run([] {
    int sum = 0;
    for (int i = 0; i < 4; ++i) sum += *before_main.recv();
    std::printf("sum %d, ran %d\n", sum, ran.load());
  });
}

// On the plain main thread, without any run.
SCENARIO(receive_without_run) {
  int sum = 0;
  for (int i = 0; i < 4; ++i) sum += *before_main.recv();
  std::printf("sum %d\n", sum);
}

SCENARIO_MAIN()
