// Calls to a service that allows 200 a second, with bursts of 10. Twenty goroutines share one limiter,
// which makes each wait for its turn; a deadline ends those whose turn would come too late.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <runnel/runnel.hpp>

using namespace std::chrono_literals;

namespace {

constexpr double per_second = 200;
constexpr int burst = 10;

// Refuses, and counts, calls that come faster than it allows. A little tolerance, for the clock of a
// caller and that of a service are read at different times.
class service {
 public:
  bool call() { return limit_.allow() ? (++served_, true) : (++refused_, false); }
  int served() const { return served_; }
  int refused() const { return refused_; }

 private:
  runnel::rate_limiter limit_{per_second * 1.05, burst + 2};
  std::atomic<int> served_ = 0;
  std::atomic<int> refused_ = 0;
};

// `calls` calls by twenty goroutines, each waiting for its turn. The first error ends the rest.
runnel::error call_many(const runnel::context& parent, service& s, int calls) {
  runnel::rate_limiter limit(per_second, burst);
  std::atomic<int> left = calls;
  runnel::group callers(parent);
  for (int i = 0; i < 20; ++i) {
    callers.go([&](const runnel::context& ctx) -> runnel::error {
      while (left-- > 0) {
        if (runnel::error e = limit.wait(ctx)) return e;
        s.call();
      }
      return nullptr;
    });
  }
  return callers.wait();
}

}  // namespace

int main() {
  return runnel::run([] {
    service s;
    const auto start = std::chrono::steady_clock::now();
    const runnel::error failure = call_many(runnel::background(), s, 110);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%d calls in %.2f seconds, %d refused by the service\n", s.served(), took.count(),
                s.refused());

    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 50ms);
    service other;
    const runnel::error late = call_many(ctx, other, 1'000'000);
    std::printf("a million calls in 50 ms: %s\n", late.message().c_str());
    return !failure && s.refused() == 0 && took > 0.45s && late ? 0 : 1;
  });
}
