#include <chrono>
#include <cstdio>
#include <memory>
#include <runnel/runnel.hpp>
#include <string>

using namespace std::chrono_literals;

// Stands for a call to another machine: the first attempt of every tenth order fails.
runnel::error deliver(const runnel::context& ctx, int order, int attempt) {
  runnel::select(runnel::on_timeout(1ms), runnel::on_done(ctx));
  if (ctx.err()) return ctx.err();
  if (order % 10 == 0 && attempt == 1) return "order " + std::to_string(order) + ": busy";
  return nullptr;
}

int main() {
  return runnel::run([] {
    runnel::worker_pool pool({
        .queue = 200,   // what may wait; beyond it, add_task waits: back-pressure
        .min_size = 2,  // workers come and go with the load, between these two
        .max_size = 16,
        .task_timeout = 2s,  // of one attempt
        .retries = 3,        // with growing, jittered pauses
        .retry_backoff = {.initial = 5ms, .max = 1s},
        .rate = std::make_shared<runnel::rate_limiter>(5000, 100),  // starts a second, burst
        .latencies = true,
        .name = "deliveries",
    });
    pool.run();

    // Failures are logged as they happen. results() closes when the pool has drained.
    runnel::wait_group logger;
    logger.go([&] {
      for (const runnel::error& e : pool.results()) {
        std::fprintf(stderr, "failed: %s\n", e.message().c_str());
      }
    });

    for (int order = 1; order <= 500; ++order) {
      const runnel::error refused =
          pool.add_task([order, attempt = 0](const runnel::context& ctx) mutable {
            return deliver(ctx, order, ++attempt);
          });
      if (refused) break;  // closed or cancelled meanwhile
    }

    // Drains, but for no longer than ten seconds; then what is left is cancelled.
    auto [limit, stop] = runnel::with_timeout(runnel::background(), 10s);
    const runnel::error drained = pool.wait(limit);
    if (limit.err()) pool.cancel();
    logger.wait();

    const runnel::pool_stats stats = pool.stats();
    std::printf("%d done, %d failed, %d dropped, %d retried\n", static_cast<int>(stats.done),
                static_cast<int>(stats.failed), static_cast<int>(stats.dropped),
                static_cast<int>(stats.retried));
    return drained ? 1 : 0;
  });
}
