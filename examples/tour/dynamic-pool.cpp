// Dynamic pools: more workers while tasks wait, fewer when they are idle
#include <atomic>
#include <chrono>
#include <cstdio>
#include <runnel/runnel.hpp>

using namespace std::chrono_literals;

namespace {

// Waits until the pool has `n` workers; false: it still has not after ten seconds.
bool reaches(const runnel::worker_pool& pool, int n) {
  for (int i = 0; i < 10'000; ++i) {
    if (pool.stats().workers == n) return true;
    runnel::sleep_for(1ms);
  }
  return false;
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts("# worker_pool is the pool as a class. resize() changes its size while it works.");
    runnel::worker_pool by_hand(2);
    by_hand.run();
    std::printf("size %d\n", by_hand.size());
    by_hand.resize(6);
    std::printf("size %d\n", by_hand.size());

    std::puts(
        "# Surplus workers end after the task they are at; no task is lost by it. Here the pool\n"
        "# shrinks to one worker with forty tasks on their way.");
    std::atomic<int> ran = 0;
    for (int i = 0; i < 40; ++i) {
      if (i == 20) by_hand.resize(1);
      by_hand.add_task([&] { ++ran; });
    }
    by_hand.wait();
    std::printf("size %d, %d tasks ran\n", by_hand.size(), ran.load());

    std::puts(
        "\n# With bounds, a pool sizes itself: it adds workers while tasks wait, and lets workers\n"
        "# go that have had nothing to do for idle_timeout.");
    runnel::worker_pool pool({.queue = 100, .min_size = 1, .max_size = 8, .idle_timeout = 20ms});
    pool.run();
    runnel::chan<void> release;
    for (int i = 0; i < 50; ++i) pool.add_task([=] { release.recv(); });
    std::printf("fifty tasks that wait: grows to 8 workers: %s\n",
                reaches(pool, 8) ? "true" : "false");
    release.close();
    std::printf("nothing to do: shrinks to 1 worker: %s\n", reaches(pool, 1) ? "true" : "false");
    pool.wait();
  });
  return 0;
}
