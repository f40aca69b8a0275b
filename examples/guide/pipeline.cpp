// The code of docs/guide.md, "Pipelines" and "Blocking calls".
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <runnel/runnel.hpp>
#include <string>

namespace {

// [blocking]
// How many lines a file has. Reading may block in the kernel, so it happens inside blocking().
std::size_t count_lines(const std::string& path) {
  return runnel::blocking([&] {
    std::ifstream in(path);
    std::size_t lines = 0;
    for (std::string line; std::getline(in, line);) ++lines;
    return lines;
  });
}
// [/blocking]

// [pipeline]
struct counted {
  std::string path;
  std::size_t lines;
};

// At most `workers` files are open at once, and at most a few names wait, however many there are.
runnel::recv_chan<counted> count_all(runnel::recv_chan<std::string> paths, int workers) {
  runnel::chan<counted> out(workers);
  runnel::go([=] {
    runnel::wait_group busy;
    for (int i = 0; i < workers; ++i) {
      busy.go([=] {
        for (const std::string& path : paths) out.send({path, count_lines(path)});
      });
    }
    busy.wait();
    out.close();
  });
  return out;
}
// [/pipeline]

}  // namespace

int main(int argc, char** argv) {
  runnel::run([&] {
    const runnel::chan<std::string> paths;
    runnel::go([=] {
      for (int i = 1; i < argc; ++i) paths.send(argv[i]);
      paths.close();
    });
    for (const counted& c : count_all(paths, 4)) {
      std::printf("%8zu %s\n", c.lines, c.path.c_str());
    }
  });
}
