// WaitGroup: wait until a set of goroutines has ended
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <runnel/runnel.hpp>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

int main() {
  runnel::run([] {
    std::puts(
        "# wait_group::go() starts a goroutine that the group counts; wait() returns when the\n"
        "# count is back at zero. What the goroutines wrote is then safe to read.");
    const std::array<std::string, 3> words{"alpha", "beta", "gamma"};
    std::array<std::size_t, 3> lengths{};
    runnel::wait_group all;
    for (std::size_t i = 0; i < words.size(); ++i) {
      all.go([&, i] { lengths[i] = words[i].size(); });
    }
    all.wait();
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::printf("%s has %zu letters\n", words[i].c_str(), lengths[i]);
    }

    std::puts(
        "\n# Go's add() and done() are there as well, for work that does not start with a\n"
        "# goroutine of its own. add() comes before the work starts, never inside it.");
    runnel::chan<int> orders(4);
    runnel::wait_group open;
    runnel::go([&] {
      for (int order : orders) {
        std::printf("order %d served\n", order);
        open.done();
      }
    });
    for (int order = 1; order <= 4; ++order) {
      open.add(1);
      orders.send(order);
    }
    open.wait();
    orders.close();
    std::puts("all orders served");

    std::puts("\n# wait_for() gives up after a while and says whether the count reached zero.");
    runnel::chan<void> release;
    runnel::wait_group slow;
    slow.go([=] { release.recv(); });
    std::printf("while one is at work: %s\n", slow.wait_for(10ms) ? "all ended" : "gave up");
    release.close();
    std::printf("once it may end: %s\n", slow.wait_for(1min) ? "all ended" : "gave up");

    std::puts("\n# Counting below zero is a mistake, and says so.");
    try {
      slow.done();
    } catch (const std::logic_error& e) {
      std::puts(e.what());
    }
  });
  return 0;
}
