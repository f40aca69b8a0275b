// The regular files of a directory tree, in byte order of their paths.
#pragma once
#include <functional>
#include <string>

#include <runnel/error.hpp>

namespace runnel_cli {

struct walk_options {
  bool all = false;  // also what is in `.git` and in directories called `build`
};

/// What a walk finds. Either function returns false to end the walk.
struct walk_visitor {
  std::function<bool(std::string path)> file;
  std::function<bool(std::string path, runnel::error why)> failure;
};

/// Walks `root`, which may also be a file. Symbolic links below it are not followed; what is
/// neither a file nor a directory is passed over. Holds one directory's names a level in memory.
/// Returns false when a visitor ended it. Blocks in the kernel, without holding other goroutines
/// up.
bool walk(const std::string& root, const walk_options& options, const walk_visitor& visitor);

}  // namespace runnel_cli
