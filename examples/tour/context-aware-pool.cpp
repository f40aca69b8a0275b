// Context-aware pools: the first error, a timeout or the caller ends everything
#include <atomic>
#include <chrono>
#include <cstdio>
#include <runnel/runnel.hpp>

using namespace std::chrono_literals;

int main() {
  runnel::run([] {
    std::puts(
        "# A task may take a context, which is done when its pool is cancelled. With\n"
        "# stop_on_error the first failure does that: those under way see it, those in the queue\n"
        "# are dropped, and new ones are refused.");
    runnel::worker_pool strict({.size = 4, .queue = 100, .stop_on_error = true});
    strict.run();
    std::atomic<int> told = 0;
    runnel::wait_group three;
    three.add(3);
    for (int i = 0; i < 3; ++i) {
      strict.add_task([&](const runnel::context& ctx) {
        three.done();
        ctx.done().recv();  // at work until told to stop
        ++told;
      });
    }
    three.wait();
    strict.add_task([] { return runnel::error("the disk is on fire"); });
    strict.wait();
    std::printf("%d others were told to stop\n", told.load());
    std::printf("cause: %s\n", strict.ctx().cause().message().c_str());
    std::printf("add_task now: %s\n", strict.add_task([] {}).message().c_str());

    std::puts("\n# A pool with a parent context ends when that does: here, when its time is up.");
    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 100ms);
    runnel::worker_pool timed({.size = 1, .queue = 10, .parent = ctx});
    timed.run();
    for (int i = 0; i < 5; ++i) {
      timed.add_task([](const runnel::context& task) {
        runnel::select(runnel::on_done(task), runnel::on_timeout(1h));
      });
    }
    timed.wait();
    const runnel::pool_stats stats = timed.stats();
    std::printf("%s: %d task was begun, %d were dropped\n", timed.ctx().cause().message().c_str(),
                static_cast<int>(stats.done + stats.failed), static_cast<int>(stats.dropped));

    std::puts("\n# task_timeout gives every single task a limit of its own.");
    runnel::worker_pool each({.size = 2, .task_timeout = 10ms});
    each.run();
    each.add_task([](const runnel::context& task) {
      task.done().recv();
      return task.err();
    });
    each.add_task([] {});
    std::printf("%s\n", each.wait().message().c_str());
    std::printf("%d done, %d timed out\n", static_cast<int>(each.stats().done),
                static_cast<int>(each.stats().timed_out));
  });
  return 0;
}
