// The worker pool with a WaitGroup: the results end when the last worker does
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <map>
#include <runnel/runnel.hpp>
#include <string>
#include <utility>

int main() {
  runnel::run([] {
    const std::string text =
        "do not communicate by sharing memory instead share memory by communicating";
    std::puts(
        "# Words go in; each worker sends a word and its capitals, or nothing for short ones.");
    std::puts("# So the receiver cannot know how many results will come ...\n");
    runnel::chan<std::string> words(4);
    runnel::chan<std::pair<std::string, std::string>> capitals(4);

    runnel::wait_group workers;
    for (int i = 0; i < 3; ++i) {
      workers.go([=] {
        for (const std::string& word : words) {
          if (word.size() < 4) continue;
          std::string upper = word;
          for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
          capitals.send({word, upper});
        }
      });
    }

    // Feeds the workers, while main is already collecting.
    runnel::go([=] {
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        words.send(text.substr(begin, end - begin));
        begin = end + 1;
      }
      words.close();
    });

    // ... until the last worker has ended: then this goroutine closes the channel of results.
    runnel::go([&workers, capitals] {
      workers.wait();
      capitals.close();
    });

    std::map<std::string, std::string> sorted;
    for (const auto& [word, upper] : capitals) sorted.emplace(word, upper);
    for (const auto& [word, upper] : sorted) {
      std::printf("%-13s %s\n", word.c_str(), upper.c_str());
    }

    std::puts(
        "\n# ... and need not: a goroutine waits for the wait_group of workers and then closes "
        "the\n"
        "# results, which ends the receiver's loop. Closing is left to the one who knows that all\n"
        "# senders are done.");
  });
  return 0;
}
