// Timers, contexts and descriptors in a program that never starts a goroutine.
#include <chrono>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

SCENARIO(after) {
  runnel::after(5ms).recv();
  say("done");
}

SCENARIO(ticker) {
  runnel::ticker t(2ms);
  t.chan().recv();
  t.chan().recv();
  say("done");
}

SCENARIO(after_func) {
  chan<int> c;
  const auto t = runnel::after_func(5ms, [c] { c.send(1); });
  c.recv();
  say("done");
}

SCENARIO(context_done) {
  const auto limited = runnel::with_timeout(runnel::background(), 5ms);
  limited.ctx.done().recv();
  say("done");
}

SCENARIO(context_polled) {
  const auto limited = runnel::with_timeout(runnel::background(), 5ms);
  while (!limited.ctx.err()) ::usleep(1000);
  say("done");
}

SCENARIO(lock_with_context) {
  runnel::mutex m;
  m.lock();
  const auto limited = runnel::with_timeout(runnel::background(), 5ms);
  if (!m.lock(limited.ctx)) std::exit(1);
  say("done");
}

SCENARIO(selecting) {
  chan<int> c;
  if (runnel::select(runnel::on_recv(c), runnel::on_recv(runnel::after(5ms))) != 1) std::exit(1);
  say("done");
}

SCENARIO(descriptor) {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) std::exit(1);
  const auto writer = runnel::after_func(5ms, [&] { (void)!::write(ends[1], "x", 1); });
  if (runnel::wait_readable(ends[0], runnel::clock::now() + 1min)) std::exit(1);
  say("done");
}

SCENARIO_MAIN()
