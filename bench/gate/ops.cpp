// Single operations whose instructions are counted. Usage: bench_gate OPERATION COUNT, or
// bench_gate --list. One processor, and no operation depends on the clock or on chance, so that two
// runs execute the same instructions; what a run costs besides (start, end) falls out when the
// counts of two COUNTs are subtracted.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <shared_mutex>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;

// Keeps the compiler from seeing that a result is not used.
template <class T>
void used(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

void spawn(long n) {
  for (long i = 0; i < n; ++i) {
    runnel::wait_group wg;
    wg.go([] {});
    wg.wait();
  }
}

void spawn_batch(long n) {
  constexpr int batch = 100;
  for (long done = 0; done < n; done += batch) {
    runnel::wait_group wg;
    wg.add(batch);
    for (int i = 0; i < batch; ++i) runnel::go([&wg] { wg.done(); });
    wg.wait();
  }
}

void async(long n) {
  for (long i = 0; i < n; ++i) used(runnel::async([] { return 1; }).get());
}

void yield(long n) {
  runnel::wait_group wg;
  for (int g = 0; g < 2; ++g) {
    wg.go([n] {
      for (long i = 0; i < n / 2; ++i) runnel::yield();
    });
  }
  wg.wait();
}

// n items from this goroutine to another.
void stream(long n, int capacity) {
  const runnel::chan<long> ch(capacity);
  runnel::wait_group wg;
  wg.go([&] {
    while (const auto v = ch.recv()) used(*v);
  });
  for (long i = 0; i < n; ++i) ch.send(i);
  ch.close();
  wg.wait();
}

void chan_unbuffered(long n) { stream(n, 0); }
void chan_buffered(long n) { stream(n, 128); }

void chan_same_goroutine(long n) {
  const runnel::chan<long> ch(1);
  for (long i = 0; i < n; ++i) {
    ch.send(i);
    used(ch.recv());
  }
}

void chan_try(long n) {
  const runnel::chan<long> ch(1);
  for (long i = 0; i < n; ++i) {
    used(ch.try_send(i));
    used(ch.try_recv());
  }
}

void chan_try_recv_empty(long n) {
  const runnel::chan<long> ch(1);
  for (long i = 0; i < n; ++i) used(ch.try_recv());
}

void chan_make(long n) {
  for (long i = 0; i < n; ++i) {
    const runnel::chan<long> ch;
    used(ch);
  }
}

void select_miss(long n) {
  const runnel::chan<long> ch(1);
  for (long i = 0; i < n; ++i) used(runnel::select(runnel::on_recv(ch), runnel::otherwise()));
}

void select_one_of_two(long n) {
  const runnel::chan<long> a(1);
  const runnel::chan<long> b(1);
  for (long i = 0; i < n; ++i) {
    b.send(i);
    used(runnel::select(runnel::on_recv(a), runnel::on_recv(b)));
  }
}

void select_parked(long n) {
  const runnel::chan<long> a;
  const runnel::chan<long> b;
  runnel::wait_group wg;
  wg.go([&] {
    for (long i = 0; i < n; ++i) b.send(i);
  });
  for (long i = 0; i < n; ++i) used(runnel::select(runnel::on_recv(a), runnel::on_recv(b)));
  wg.wait();
}

void select_timeout(long n) {
  const runnel::chan<long> ch;
  runnel::wait_group wg;
  wg.go([&] {
    for (long i = 0; i < n; ++i) ch.send(i);
  });
  for (long i = 0; i < n; ++i) used(runnel::select(runnel::on_recv(ch), runnel::on_timeout(1h)));
  wg.wait();
}

void timer_stop(long n) {
  for (long i = 0; i < n; ++i) {
    runnel::timer t(1h);
    used(t.stop());
  }
}

void mutex(long n) {
  runnel::mutex m;
  for (long i = 0; i < n; ++i) {
    const std::scoped_lock lock(m);
    used(m);
  }
}

void shared_mutex_read(long n) {
  runnel::shared_mutex m;
  for (long i = 0; i < n; ++i) {
    const std::shared_lock lock(m);
    used(m);
  }
}

void semaphore(long n) {
  runnel::semaphore s(1);
  for (long i = 0; i < n; ++i) {
    s.acquire();
    s.release();
  }
}

void context_cancel(long n) {
  for (long i = 0; i < n; ++i) {
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    cancel();
    used(ctx);
  }
}

void pool_task(long n) {
  runnel::pool_options options;
  options.size = 2;
  options.queue = 16;
  runnel::worker_pool pool(options);
  pool.run();
  for (long i = 0; i < n; ++i) used(pool.add_task([i] { used(i); }));
  used(pool.wait());
}

constexpr std::pair<std::string_view, void (*)(long)> operations[] = {
    {"spawn", spawn},
    {"spawn_batch", spawn_batch},
    {"async", async},
    {"yield", yield},
    {"chan_unbuffered", chan_unbuffered},
    {"chan_buffered", chan_buffered},
    {"chan_same_goroutine", chan_same_goroutine},
    {"chan_try", chan_try},
    {"chan_try_recv_empty", chan_try_recv_empty},
    {"chan_make", chan_make},
    {"select_miss", select_miss},
    {"select_one_of_two", select_one_of_two},
    {"select_parked", select_parked},
    {"select_timeout", select_timeout},
    {"timer_stop", timer_stop},
    {"mutex", mutex},
    {"shared_mutex_read", shared_mutex_read},
    {"semaphore", semaphore},
    {"context_cancel", context_cancel},
    {"pool_task", pool_task},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  if (wanted == "--list") {
    for (const auto& [name, run] : operations) std::printf("%s\n", name.data());
    return 0;
  }
  for (const auto& [name, run] : operations) {
    if (argc != 3 || name != wanted) continue;
    runnel::run({.max_procs = 1}, [&, run = run] { run(std::atol(argv[2])); });
    return 0;
  }
  std::fprintf(stderr, "usage: bench_gate OPERATION COUNT | --list\n");
  return 2;
}
