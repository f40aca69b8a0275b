// The code of docs/guide.md, "Pools".
#include <cstdio>
#include <runnel/runnel.hpp>
#include <string>

namespace {

void by_hand() {
  // [by_hand]
  runnel::chan<int> jobs;
  runnel::chan<int> results(100);
  for (int i = 0; i < 4; ++i) {
    runnel::go([=] {
      for (int job : jobs) results.send(job * 2);
    });
  }
  for (int job = 1; job <= 100; ++job) jobs.send(job);
  jobs.close();
  int sum = 0;
  for (int i = 1; i <= 100; ++i) sum += *results.recv();
  // [/by_hand]
  std::printf("%d\n", sum);
}

void the_class() {
  // [class]
  runnel::worker_pool pool({.size = 4, .queue = 64});
  pool.run();
  for (int job = 1; job <= 100; ++job) {
    pool.add_task([job]() -> runnel::error {
      if (job % 40 == 0) return "job " + std::to_string(job) + " failed";
      return nullptr;
    });
  }
  const runnel::error failures = pool.wait();  // closes, drains, and joins the errors
  // [/class]
  std::printf("%s\n", failures ? "two jobs failed" : "no failures");
}

}  // namespace

int main() {
  runnel::run([] {
    by_hand();
    the_class();
  });
}
