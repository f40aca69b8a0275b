// The reusable pool: made once, used from anywhere
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <runnel/runnel.hpp>
#include <system_error>

namespace {

// A batch of work on a shared pool: waits for its own tasks only.
int sum_of_squares(runnel::worker_pool& pool, int last) {
  std::atomic<int> sum = 0;
  runnel::wait_group batch;
  for (int n = 1; n <= last; ++n) {
    batch.add(1);
    const runnel::error refused = pool.add_task([&, n] {
      sum += n * n;
      batch.done();
    });
    if (refused) batch.done();
  }
  batch.wait();
  return sum;
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts("# A pool checks what it is given: it has at least one worker, ...");
    try {
      runnel::worker_pool none(0);
    } catch (const std::system_error& e) {
      std::printf("a pool of size 0: %s\n", e.code().message().c_str());
    }
    std::puts("# ... takes no task before it runs, and no empty one.");
    runnel::worker_pool pool({.size = 4, .queue = 8, .name = "shared"});
    std::printf("before run(): %s\n", pool.add_task([] {}).message().c_str());
    pool.run();
    pool.run();  // does nothing: it cannot be started twice
    std::printf("an empty task: %s\n", pool.add_task(nullptr).message().c_str());

    std::puts(
        "\n# Any number of goroutines and threads may add tasks to it. add_task() waits while all\n"
        "# workers are busy and the queue is full, and holds up nobody else meanwhile.");
    std::array<int, 3> sums{};
    runnel::wait_group callers;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      callers.go([&, i] { sums[i] = sum_of_squares(pool, 10 * (static_cast<int>(i) + 1)); });
    }
    callers.wait();
    std::printf("three batches: %d %d %d\n", sums[0], sums[1], sums[2]);

    std::puts("\n# close() lets queued tasks finish; wait() closes, and returns when all have.");
    const runnel::error failed = pool.wait();
    std::printf("errors: %s\n", failed ? failed.message().c_str() : "none");
    std::printf("after close: %s\n", pool.add_task([] {}).message().c_str());
    const runnel::pool_stats stats = pool.stats();
    std::printf("%d tasks added, %d done\n", static_cast<int>(stats.added),
                static_cast<int>(stats.done));
  });
  return 0;
}
