// The chapters of the tour. The table is written at build time from examples/tour/*.cpp: see
// cmd/runnel/CMakeLists.txt.
#pragma once
#include <span>
#include <string_view>

namespace runnel_cli {

struct tour_chapter {
  std::string_view name;    // of the file, without .cpp; ends in a zero byte
  std::string_view title;   // the file's first line; ends in a zero byte
  std::string_view source;  // the file
  int (*run)();             // its main
};

/// In the order a reader should take them.
std::span<const tour_chapter> tour_chapters();

}  // namespace runnel_cli
