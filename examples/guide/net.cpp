// The code of docs/guide.md, "Sockets".
#include <array>
#include <chrono>
#include <cstdio>
#include <runnel/net.hpp>
#include <runnel/runnel.hpp>
#include <span>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace {

// [serve]
// Sends back what comes, until the client has sent its end or has said nothing for a while.
void echo(runnel::tcp_stream client) {
  std::array<char, 4096> buffer{};
  std::error_code failure;
  for (;;) {
    client.set_deadline(runnel::clock::now() + 30s);
    const std::size_t n = client.read_some(buffer, failure);
    if (n == 0) return;  // the end, or a failure
    client.write(std::span(buffer).first(n), failure);
  }
}

// At most 1000 connections at a time; the others wait in the kernel. Ends when the listener is closed.
void serve(runnel::tcp_listener& listener) {
  runnel::group connections;
  connections.set_limit(1000);
  std::error_code failure;
  for (;;) {
    runnel::tcp_stream client = listener.accept(failure);
    if (failure) break;
    connections.go([c = std::move(client)]() mutable { echo(std::move(c)); });
  }
  (void)connections.wait();
}
// [/serve]

// [ask]
std::string ask(const runnel::context& ctx, const std::string& host, const std::string& port,
                const std::string& question) {
  const runnel::resolver names;
  runnel::tcp_stream server = runnel::connect(ctx, names.resolve(ctx, host, port).front());
  server.write(ctx, question);
  server.shutdown(runnel::shut::write);
  std::string answer(question.size(), '\0');
  answer.resize(server.read(ctx, answer));
  return answer;
}
// [/ask]

}  // namespace

int main() {
  return runnel::run([] {
    runnel::tcp_listener listener = runnel::listen(":0");
    const std::string port = std::to_string(listener.local_endpoint().port());
    runnel::wait_group server;
    server.go([&] { serve(listener); });
    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 10s);
    const std::string answer = ask(ctx, "localhost", port, "hello");
    std::printf("%s\n", answer.c_str());
    listener.close();
    server.wait();
    return answer == "hello" ? 0 : 1;
  });
}
