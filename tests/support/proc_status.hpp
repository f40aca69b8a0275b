// What /proc says about this process.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace runnel_test {

/// A number of a file of /proc, by the word before it; 0 if it is not there.
inline long number_after(const std::filesystem::path& file, std::string_view word) {
  std::ifstream in(file);
  for (std::string w; in >> w;)
    if (long n = 0; w == word && in >> n) return n;
  return 0;
}

/// How often the threads whose names begin with `prefix` have gone to sleep so far, in all.
inline long voluntary_switches(std::string_view prefix) {
  long all = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, name);
    if (name.starts_with(prefix))
      all += number_after(task.path() / "status", "voluntary_ctxt_switches:");
  }
  return all;
}

}  // namespace runnel_test
