// Unbuffered channels: a value changes hands only when both sides are there
#include <cstdio>
#include <optional>
#include <runnel/runnel.hpp>
#include <string>

int main() {
  runnel::run([] {
    std::puts(
        "# A chan<T> without a capacity holds nothing. A send waits for a receiver and a receive\n"
        "# for a sender; the value goes from the one to the other.");
    runnel::chan<std::string> words;
    std::printf("nobody receives, so try_send says: %s\n",
                words.try_send("too early") ? "sent" : "not sent");

    runnel::go([=] { words.send("hello from a goroutine"); });
    std::printf("recv waits for a sender, and gets: %s\n", words.recv()->c_str());

    std::puts(
        "\n# So an unbuffered channel also puts things in order. Two players hit a ball to and\n"
        "# fro: whoever has received it hits it back.");
    runnel::chan<int> table;
    runnel::chan<void> over;
    runnel::go([=] {
      while (std::optional<int> ball = table.recv()) {
        std::printf("  pong %d\n", *ball);
        table.send(*ball + 1);
      }
      over.close();
    });
    int ball = 1;
    while (ball < 6) {
      std::printf("  ping %d\n", ball);
      table.send(ball + 1);
      ball = *table.recv();
    }
    table.close();
    over.recv();
    std::puts("the table is closed, and the other player has gone home");

    std::puts(
        "\n# What the sender did before the send, the receiver sees after the receive: no lock is\n"
        "# needed around data that is handed over this way.");
  });
  return 0;
}
