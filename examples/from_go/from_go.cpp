// The right-hand side of docs/from-go.md.
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <runnel/runnel.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

int work(int n) { return n * n; }
void use(int) {}

void goroutines() {
  int n = 7;
  // [go]
  runnel::go(work, n);                // arguments are copied, as Go evaluates them
  runnel::go([n] { use(work(n)); });  // captures: by value unless you know better
  // [/go]
}

void channels() {
  // [make]
  runnel::chan<int> unbuffered;
  runnel::chan<int> buffered(3);
  runnel::chan<int> nil = nullptr;
  // [/make]
  runnel::chan<int>& ch = buffered;
  // [send]
  ch.send(1);  // or: ch << 1
  int v = *ch.recv();
  // [/send]
  use(v);
  ch.send(2);
  ch.close();
  // [ok]
  if (std::optional<int> x = ch.recv()) {
    use(*x);
  } else {
    std::puts("closed");
  }
  // [/ok]
  // [range]
  for (int x : ch) use(x);
  // [/range]
  use(static_cast<int>(nil.len() + unbuffered.cap()));
}

void selects() {
  runnel::chan<int> in(1), out(1);
  // [select]
  runnel::select(runnel::on_recv(in, [](std::optional<int> x) { use(x.value_or(0)); }),
                 runnel::on_send(out, 1, [] { std::puts("sent"); }),
                 runnel::on_timeout(1s, [] { std::puts("timed out"); }));
  // [/select]
  // [default]
  runnel::select(runnel::on_recv(in, [](std::optional<int> x) { use(x.value_or(0)); }),
                 runnel::otherwise([] { std::puts("nothing there"); }));
  // [/default]
  // [loop]
  for (;;) {
    std::optional<int> x;
    switch (runnel::select(runnel::on_recv(out, x), runnel::on_timeout(10ms))) {
      case 0:
        use(x.value_or(0));
        continue;
      case 1:
        return;  // leaves the function, as in Go
    }
  }
  // [/loop]
}

void waiting() {
  const std::vector<int> items{1, 2, 3};
  // [waitgroup]
  runnel::wait_group wg;
  for (int item : items) {
    wg.go([item] { use(work(item)); });
  }
  wg.wait();
  // [/waitgroup]
  int shared = 0;
  // [mutex]
  runnel::mutex mu;
  {
    const std::scoped_lock lock(mu);
    ++shared;
  }
  // [/mutex]
  use(shared);
  // [once]
  static runnel::once setup;
  setup.call([] { std::puts("once"); });
  // [/once]
}

void timers() {
  // [timers]
  runnel::sleep_for(1ms);
  runnel::after(1ms).recv();
  runnel::timer t(1h);
  const bool stopped = t.stop();
  // [/timers]
  use(stopped ? 1 : 0);
}

// [errors]
runnel::error read_config(const std::string& path) {
  if (path.empty()) return "no path";
  return nullptr;
}

runnel::error start() {
  if (runnel::error e = read_config("")) return runnel::wrap("start", e);
  return nullptr;
}
// [/errors]

runnel::error fetch(const runnel::context& ctx, int) { return ctx.err(); }

void contexts() {
  // [context]
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 1s);
  runnel::select(runnel::on_done(ctx, [&] { std::puts(ctx.err().message().c_str()); }),
                 runnel::on_timeout(1ms));
  // [/context]
  const std::vector<int> urls{1, 2, 3};
  // [errgroup]
  runnel::group g(ctx);
  g.set_limit(10);
  for (int url : urls) {
    g.go([url](const runnel::context& c) { return fetch(c, url); });
  }
  const runnel::error failed = g.wait();
  // [/errgroup]
  use(failed ? 1 : 0);
}

}  // namespace

int main() {
  // [main]
  return runnel::run([] {
    goroutines();
    channels();
    selects();
    waiting();
    timers();
    contexts();
    return start() ? 0 : 1;
  });
  // [/main]
}
