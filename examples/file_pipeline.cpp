// Counts the words of every text file below a directory: find, read and split, merge. Channels
// between the stages are bounded, so memory does not depend on the number of files; a failure in any
// stage ends them all.
//
//   file_pipeline [DIRECTORY]
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <runnel/runnel.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using word_counts = std::map<std::string, std::size_t>;

runnel::error find_files(const runnel::context& ctx, const fs::path& root,
                         const runnel::send_chan<fs::path>& found) {
  std::error_code failure;
  auto it = runnel::blocking([&] { return fs::recursive_directory_iterator(root, failure); });
  while (!failure && it != fs::recursive_directory_iterator()) {
    const fs::path extension = it->path().extension();
    if (it->is_regular_file() && (extension == ".md" || extension == ".txt")) {
      if (!found.send(ctx, it->path())) return ctx.err();  // another stage has failed
    }
    runnel::blocking([&] { it.increment(failure); });
  }
  found.close();
  return failure ? runnel::wrap(root.string(), failure) : runnel::error();
}

word_counts count_words(const std::string& text) {
  word_counts counts;
  std::string word;
  for (const char c : text + ' ') {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalpha(u) != 0) {
      word += static_cast<char>(std::tolower(u));
    } else if (!word.empty()) {
      ++counts[word];
      word.clear();
    }
  }
  return counts;
}

runnel::error count_files(const runnel::context& ctx, const runnel::recv_chan<fs::path>& files,
                          const runnel::send_chan<word_counts>& counted) {
  while (const auto path = files.recv(ctx)) {
    std::ifstream in(*path, std::ios::binary);
    if (!in) return "cannot open " + path->string();
    const std::string text =
        runnel::blocking([&] { return std::string(std::istreambuf_iterator<char>(in), {}); });
    if (!counted.send(ctx, count_words(text))) break;
  }
  return ctx.err();
}

runnel::error count_tree(const fs::path& root, word_counts& total) {
  constexpr int counters = 4;
  const runnel::chan<fs::path> files(counters);
  const runnel::chan<word_counts> counted(counters);
  runnel::group stages;
  stages.go([&](const runnel::context& ctx) { return find_files(ctx, root, files); });
  stages.go([&](const runnel::context& parent) {
    runnel::group workers(parent);
    for (int i = 0; i < counters; ++i) {
      workers.go([&](const runnel::context& ctx) { return count_files(ctx, files, counted); });
    }
    const runnel::error failure = workers.wait();
    counted.close();
    return failure;
  });
  for (const word_counts& counts : counted) {
    for (const auto& [word, n] : counts) total[word] += n;
  }
  return stages.wait();
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path root = argc > 1 ? argv[1] : ".";
  word_counts total;
  const runnel::error failure = runnel::run([&] { return count_tree(root, total); });
  if (failure) {
    std::fprintf(stderr, "%s\n", failure.message().c_str());
    return 1;
  }
  std::vector<std::pair<std::size_t, std::string>> common;
  for (const auto& [word, n] : total) common.emplace_back(n, word);
  std::sort(common.rbegin(), common.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(10, common.size()); ++i) {
    std::printf("%8zu %s\n", common[i].first, common[i].second.c_str());
  }
  return 0;
}
