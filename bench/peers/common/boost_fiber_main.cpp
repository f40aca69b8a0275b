// The Boost.Fiber peer: sets the scheduler up, picks a workload and runs it in the main fiber.
// --opt s: shared_work scheduling instead of work_stealing, with more than one thread.
#include <boost/fiber/all.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

// The calling thread and threads - 1 more schedule fibers until this object goes.
class scheduler {
 public:
  explicit scheduler(const bench::args& a) {
    for (int i = 1; i < a.threads; ++i) {
      workers_.emplace_back([this, &a] {
        install(a);
        std::unique_lock<bf::mutex> lock(mutex_);
        ended_.wait(lock, [this] { return done_; });
      });
    }
    install(a);
  }
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;
  ~scheduler() {
    {
      const std::unique_lock<bf::mutex> lock(mutex_);
      done_ = true;
    }
    ended_.notify_all();
    for (auto& t : workers_) t.join();
  }

 private:
  static void install(const bench::args& a) {
    if (a.threads == 1) {
      bf::use_scheduling_algorithm<bf::algo::round_robin>();
    } else if (a.opt == "s") {
      bf::use_scheduling_algorithm<bf::algo::shared_work>();
    } else {
      bf::use_scheduling_algorithm<bf::algo::work_stealing>(static_cast<std::uint32_t>(a.threads));
    }
  }

  std::vector<std::thread> workers_;
  bf::mutex mutex_;
  bf::condition_variable ended_;
  bool done_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::args a = bench::parse(argc, argv);
  const auto run_workload = bench::workload::find(a.workload);
  if (a.threads == 1) bench::stacks.pooled = std::make_unique<bf::pooled_fixedsize_stack>();
  const scheduler running(a);
  run_workload(a);
}
