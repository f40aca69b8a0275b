#include <runnel/runnel.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;

int main() {
  runnel::run([] {
    // A hundred thousand goroutines in a row; each passes on what it receives, plus one.
    const runnel::chan<int> first;
    runnel::chan<int> last = first;
    for (int i = 0; i < 100'000; ++i) {
      const runnel::chan<int> next;
      runnel::go([from = next, to = last] { to.send(*from.recv() + 1); });
      last = next;
    }
    last.send(0);
    runnel::select(
        runnel::on_recv(first, [](auto n) { std::cout << *n << " goroutines in a row\n"; }),
        runnel::on_timeout(1min, [] { std::cout << "timed out\n"; }));

    // Four workers; adding a task waits while the queue is full; the first error stops the rest.
    runnel::worker_pool pool({.size = 4, .queue = 64, .stop_on_error = true, .retries = 2});
    pool.run();
    for (int item = 0; item < 1000; ++item) {
      if (pool.add_task([item](const runnel::context&) -> runnel::error {
            return item == 500 ? "item 500 is broken" : nullptr;
          }))
        break;
    }
    if (runnel::error e = pool.wait()) std::cout << pool.ctx().cause().message() << '\n';
  });
}
