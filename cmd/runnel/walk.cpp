#include "walk.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/go.hpp>

namespace runnel_cli {
namespace {

namespace fs = std::filesystem;

enum class kind { directory, file, other };

struct entry {
  std::string name;
  kind what;
  std::error_code failure;  // of finding out what it is

  // Paths sort as bytes, so a directory sorts as if its name ended in the slash that follows it.
  std::string key() const { return what == kind::directory ? name + '/' : name; }
};

// A directory whose entries are being visited.
struct level {
  std::string path;
  std::vector<entry> entries;
  std::size_t next = 0;
};

kind kind_of(const fs::file_status& status) {
  if (fs::is_directory(status)) return kind::directory;
  return fs::is_regular_file(status) ? kind::file : kind::other;
}

std::error_code read_entries(level& l) {
  std::error_code failure;
  for (fs::directory_iterator it(l.path, failure), end; !failure && it != end;
       it.increment(failure)) {
    entry e{it->path().filename().string(), kind::other, {}};
    e.what = kind_of(it->symlink_status(e.failure));
    l.entries.push_back(std::move(e));
  }
  std::sort(l.entries.begin(), l.entries.end(),
            [](const entry& a, const entry& b) { return a.key() < b.key(); });
  return failure;
}

std::string join_path(const std::string& directory, const std::string& name) {
  return directory.ends_with('/') ? directory + name : directory + '/' + name;
}

class walker {
 public:
  walker(const walk_options& options, const walk_visitor& visitor)
      : options_(options), visitor_(visitor) {}

  bool run(const std::string& root) {
    std::error_code failure;
    const kind what = runnel::blocking([&] { return kind_of(fs::status(root, failure)); });
    if (failure) return visitor_.failure(root, failure);
    if (what == kind::file) return visitor_.file(root);
    if (what == kind::other) return visitor_.failure(root, "not a regular file or directory");
    if (!enter(root)) return false;
    while (!levels_.empty()) {
      level& top = levels_.back();
      if (top.next == top.entries.size()) {
        levels_.pop_back();
        continue;
      }
      // Taken out first: visiting a directory adds a level, which moves `top`.
      const entry e = std::move(top.entries[top.next++]);
      if (!visit(join_path(top.path, e.name), e)) return false;
    }
    return true;
  }

 private:
  bool enter(const std::string& path) {
    level l{path, {}, 0};
    const std::error_code failure = runnel::blocking([&] { return read_entries(l); });
    levels_.push_back(std::move(l));
    return !failure || visitor_.failure(path, failure);
  }

  bool visit(const std::string& path, const entry& e) {
    if (e.failure) return visitor_.failure(path, e.failure);
    if (e.what == kind::file) return visitor_.file(path);
    if (e.what != kind::directory || is_skipped(e.name)) return true;
    return enter(path);
  }

  bool is_skipped(const std::string& name) const {
    return !options_.all && (name == ".git" || name == "build");
  }

  const walk_options& options_;
  const walk_visitor& visitor_;
  std::vector<level> levels_;  // from the root down; a stack of our own, for trees of any depth
};

}  // namespace

bool walk(const std::string& root, const walk_options& options, const walk_visitor& visitor) {
  return walker(options, visitor).run(root);
}

}  // namespace runnel_cli
