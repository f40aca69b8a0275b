// The component runnel::net.
#include <csignal>
#include <iostream>
#include <string>

#include <runnel/go.hpp>
#include <runnel/process.hpp>
#include <runnel/signal.hpp>

int main() {
  return runnel::run([] {
    const runnel::signal_subscription children = runnel::notify({SIGCHLD});
    runnel::process p =
        runnel::spawn({.arguments = {"echo", "a process"}, .output = runnel::redirect::pipe()});
    const std::string said = p.output().read_all();
    std::cout << said;
    const bool ended = !p.wait() && children.chan().recv() == SIGCHLD;
    return ended && p.status().success() && said == "a process\n" ? 0 : 1;
  });
}
