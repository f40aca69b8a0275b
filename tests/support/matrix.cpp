#include "matrix.hpp"

#include <string>
#include <thread>

namespace runnel_test {
namespace {

int processors = 1;

void on_a_thread(matrix_body body) {
  bool done = false;
  std::thread t([&] {
    body();
    done = true;
  });
  runnel::blocking([&] { t.join(); });
  EXPECT_TRUE(done);
}

void run_and_check_leaks(matrix_body body, bool on_thread) {
  // What an earlier test in this process left may still be ending.
  (void)eventually([] { return runnel::num_goroutines() == 1; }, 100ms);
  const std::size_t before = runnel::num_goroutines();
  if (on_thread)
    on_a_thread(body);
  else
    body();
  EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() <= before; }))
      << "goroutines left behind: " << runnel::num_goroutines() - before;
}

class matrix_test final : public ::testing::Test {
 public:
  matrix_test(matrix_body body, bool on_thread, int procs)
      : body_(body), on_thread_(on_thread), procs_(procs) {}

 private:
  void TestBody() override {
    processors = procs_;
    runnel::run({.max_procs = procs_}, [&] { run_and_check_leaks(body_, on_thread_); });
  }

  matrix_body body_;
  bool on_thread_;
  int procs_;
};

}  // namespace

int procs() noexcept { return processors; }

matrix_registration::matrix_registration(const char* name, matrix_body body, bool on_thread,
                                         const char* file, int line) {
  for (const int procs : {1, 2, 4, 8}) {
    const std::string test = "runs/procs" + std::to_string(procs);
    ::testing::RegisterTest(
        (std::string("matrix/") + name).c_str(), test.c_str(), nullptr, nullptr, file, line,
        [=]() -> ::testing::Test* { return new matrix_test(body, on_thread, procs); });
  }
}

}  // namespace runnel_test
