// Buffered channels: a queue with a limit
#include <atomic>
#include <chrono>
#include <cstdio>
#include <runnel/runnel.hpp>

using namespace std::chrono_literals;

int main() {
  runnel::run([] {
    std::puts("# chan<int>(3) has room for three: that many sends need no receiver.");
    runnel::chan<int> queue(3);
    for (int i = 1; i <= 3; ++i) queue.send(i);
    std::printf("%zu of %zu places taken\n", queue.len(), queue.cap());

    std::puts("\n# A fourth send would wait. That is back-pressure: who is ahead is held up.");
    std::printf("try_send when full: %s\n", queue.try_send(4) ? "sent" : "not sent");
    std::printf("recv: %d\n", *queue.recv());
    std::printf("try_send now: %s\n", queue.try_send(4) ? "sent" : "not sent");

    std::puts("\n# Values come out in the order they went in.");
    while (queue.len() > 0) std::printf("recv: %d\n", *queue.recv());

    std::puts(
        "\n# A buffered channel of nothing (chan<void>) counts: here two of ten goroutines at a\n"
        "# time hold a place.");
    runnel::chan<void> places(2);
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    runnel::wait_group all;
    for (int i = 0; i < 10; ++i) {
      all.go([&] {
        places.send();
        const int now = ++inside;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        runnel::sleep_for(1ms);
        --inside;
        places.recv();
      });
    }
    all.wait();
    std::printf("never more than 2 inside at once: %s\n", most <= 2 ? "true" : "false");

    std::puts(
        "\n# Choose the smallest capacity that smooths the work. chan<T>{unbounded} never makes a\n"
        "# sender wait, and so never tells it to slow down.");
  });
  return 0;
}
