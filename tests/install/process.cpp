// The component runnel::net.
#include <csignal>
#include <iostream>
#include <string>

#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/process.hpp>
#include <runnel/signal.hpp>

namespace {

bool talks_to_itself() {
  runnel::tcp_listener listener = runnel::listen("127.0.0.1:0");
  runnel::tcp_stream near = runnel::connect(runnel::background(), listener.local_endpoint());
  runnel::tcp_stream far = listener.accept();
  near.write(std::string("over TCP"));
  std::string got(8, '?');
  return far.read(got) == got.size() && got == "over TCP";
}

}  // namespace

int main() {
  return runnel::run([] {
    if (!talks_to_itself()) return 1;
    const runnel::signal_subscription children = runnel::notify({SIGCHLD});
    runnel::process p =
        runnel::spawn({.arguments = {"echo", "a process"}, .output = runnel::redirect::pipe()});
    const std::string said = p.output().read_all();
    std::cout << said;
    const bool ended = !p.wait() && children.chan().recv() == SIGCHLD;
    return ended && p.status().success() && said == "a process\n" ? 0 : 1;
  });
}
