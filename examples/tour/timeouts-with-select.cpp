// Timeouts with select: stop waiting after a while
#include <chrono>
#include <cstdio>
#include <optional>
#include <runnel/runnel.hpp>
#include <string>

using namespace std::chrono_literals;

namespace {

// A service whose answer takes `delay`. The channel has room for the answer, so that the goroutine
// can leave it there and end when nobody waits any more.
runnel::recv_chan<std::string> ask(std::chrono::milliseconds delay) {
  runnel::chan<std::string> answer(1);
  runnel::go([=] {
    runnel::sleep_for(delay);
    answer.send("an answer");
  });
  return answer;
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts("# on_timeout() is a case that goes ahead when nothing else has for so long.");
    for (const auto delay : {1ms, 2000ms}) {
      std::printf("a service that takes %lld ms, and half a second's patience: ",
                  static_cast<long long>(delay.count()));
      runnel::select(
          runnel::on_recv(ask(delay),
                          [](std::optional<std::string> a) { std::printf("%s\n", a->c_str()); }),
          runnel::on_timeout(500ms, [] { std::puts("timed out"); }));
    }

    std::puts("\n# For one channel, recv_for() says the same more shortly.");
    const runnel::chan<int> silent;
    if (const auto n = silent.recv_for(10ms); n.timed_out()) std::puts("timed out");

    std::puts(
        "\n# A timeout starts anew with every select. A limit on a whole loop is a point in time,\n"
        "# on_deadline(): this ticker goes on for ever, the loop does not.");
    const auto deadline = runnel::clock::now() + 100ms;
    const runnel::ticker ticker(5ms);
    bool ticked = false;
    for (bool more = true; more;) {
      runnel::select(runnel::on_recv(ticker.chan(), [&] { ticked = true; }),
                     runnel::on_deadline(deadline, [&] { more = false; }));
    }
    std::printf("ticked, and stopped at the deadline: %s\n", ticked ? "true" : "false");

    std::puts(
        "\n# To limit a whole tree of calls, hand a context down: with_timeout(), and the case\n"
        "# on_done(). See the chapter context-aware-pool.");
  });
  return 0;
}
