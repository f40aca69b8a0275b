// The basic worker pool: a fixed number of goroutines, jobs in, results out
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <runnel/runnel.hpp>

using namespace std::chrono_literals;

namespace {

struct result {
  int job;
  int square;
};

// How many workers are busy, and how many were at most.
std::atomic<int> busy = 0;
std::atomic<int> most = 0;

void worker(runnel::recv_chan<int> jobs, runnel::send_chan<result> results) {
  for (int job : jobs) {
    const int now = ++busy;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    runnel::sleep_for(5ms);  // the work
    --busy;
    results.send({job, job * job});
  }
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts(
        "# Three workers receive from one channel of jobs and send to one channel of results.\n"
        "# However many jobs there are, three are under way at once.");
    constexpr int workers = 3, jobs_to_do = 9;
    runnel::chan<int> jobs;
    runnel::chan<result> results(jobs_to_do);
    for (int i = 0; i < workers; ++i) runnel::go(worker, jobs, results);

    std::puts("# The channel of jobs is unbuffered: sending waits until a worker is free.");
    for (int job = 1; job <= jobs_to_do; ++job) jobs.send(job);

    std::puts("# Closing it ends the workers, each after the job it is at.");
    jobs.close();

    std::puts("# Results come as they are ready; a map puts them in order.\n");
    std::map<int, int> squares;
    for (int i = 0; i < jobs_to_do; ++i) {
      const result r = *results.recv();
      squares[r.job] = r.square;
    }
    for (const auto& [job, square] : squares) std::printf("job %d: %d\n", job, square);
    std::printf("%d jobs, %d workers, never more at once: %s\n", jobs_to_do, workers,
                most <= workers ? "true" : "false");
  });
  return 0;
}
