// The code of docs/guide.md, "Programs and signals".
#include <chrono>
#include <csignal>
#include <cstdio>
#include <runnel/process.hpp>
#include <runnel/runnel.hpp>
#include <runnel/signal.hpp>
#include <string>

using namespace std::chrono_literals;

namespace {

// [sort]
// `text` with its lines in order: fed to a program and read back at the same time, for a pipe holds
// little.
std::string sorted(const std::string& text) {
  runnel::process sort = runnel::spawn({.arguments = {"sort"},
                                        .input = runnel::redirect::pipe(),
                                        .output = runnel::redirect::pipe()});
  runnel::wait_group feeding;
  feeding.go([&] {
    sort.input().write_all(text);
    sort.input().close();
  });
  std::string result = sort.output().read_all();
  feeding.wait();
  if (const runnel::error e = sort.wait()) e.rethrow();
  if (!sort.status().success()) throw std::runtime_error("sort: " + sort.status().message());
  return result;
}
// [/sort]

// [supervise]
// Runs a command until it ends, its time is up, or somebody presses Ctrl-C.
void supervise(const runnel::command& what, std::chrono::seconds limit) {
  const runnel::signal_subscription interrupts = runnel::notify({SIGINT, SIGTERM});
  runnel::process child = runnel::spawn(what);
  runnel::select(runnel::on_exit(child),
                 runnel::on_recv(interrupts.chan(), [&] { (void)child.kill(SIGTERM); }),
                 runnel::on_timeout(limit, [&] { (void)child.kill(SIGTERM); }));
  // What does not mind SIGTERM gets a second; the destructor kills what is left.
  if (!child.wait(runnel::clock::now() + 1s)) std::puts(child.status().message().c_str());
}
// [/supervise]

}  // namespace

int main() {
  return runnel::run([] {
    supervise({.arguments = {"sh", "-c", "exit 3"}}, 10s);  // exit status 3
    return sorted("b\nc\na\n") == "a\nb\nc\n" ? 0 : 1;
  });
}
