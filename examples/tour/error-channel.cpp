// Error channels: what failed, as it fails
#include <cstdio>
#include <runnel/runnel.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>

namespace {

runnel::error check(int item) {
  if (item % 10 == 3) return "item " + std::to_string(item) + " is odd in an unlucky way";
  if (item == 17) throw std::out_of_range("item 17 is not there");
  return {};
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts(
        "# A task may return an error, or throw: the pool turns both into a runnel::error and\n"
        "# sends it to results(). Tasks that succeed send nothing.");
    runnel::worker_pool pool({.size = 4, .queue = 16});
    pool.run();
    runnel::go([&pool] {
      for (int item = 1; item <= 30; ++item) pool.add_task([item] { return check(item); });
      pool.close();
    });

    std::set<std::string> messages;  // sorted: the errors come in the order they happen
    for (const runnel::error& e : pool.results()) {
      messages.insert(e.message());
      if (e.as<std::out_of_range>() != nullptr) std::puts("one of them was thrown: out_of_range");
    }
    for (const std::string& message : messages) std::puts(message.c_str());

    std::puts(
        "\n# results() closes once the pool has been closed and is empty, which ended the loop.");
    const runnel::pool_stats stats = pool.stats();
    std::printf("%d done, %d failed\n", static_cast<int>(stats.done),
                static_cast<int>(stats.failed));

    std::puts(
        "\n# Nobody has to read results(): wait() gives all errors that were not, joined into\n"
        "# one; is() and as() look inside.");
    runnel::worker_pool quiet(1);
    quiet.run();
    quiet.add_task([] { return std::make_error_code(std::errc::no_space_on_device); });
    quiet.add_task([] { return runnel::error("the second one failed as well"); });
    const runnel::error all = quiet.wait();
    std::printf("%s\n", all.message().c_str());
    std::printf("is it a full disk? %s\n", all.is(std::errc::no_space_on_device) ? "yes" : "no");
  });
  return 0;
}
