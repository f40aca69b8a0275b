// --tag: the item before each line.
#pragma once
#include <string>
#include <string_view>

namespace runnel_cli {

/// Puts "LABEL<tab>" at the start of every line, also where the text comes in pieces.
class tagger {
 public:
  explicit tagger(std::string_view label) : prefix_(std::string(label) + '\t') {}

  std::string operator()(std::string_view piece) {
    std::string out;
    out.reserve(piece.size() + prefix_.size());
    for (std::size_t end = 0; !piece.empty(); piece.remove_prefix(end)) {
      if (at_start_) out += prefix_;
      end = piece.find('\n');
      at_start_ = end != std::string_view::npos;
      end = at_start_ ? end + 1 : piece.size();
      out += piece.substr(0, end);
    }
    return out;
  }

  /// Whether what came last was the end of a line, or nothing has come.
  bool at_line_start() const { return at_start_; }

 private:
  std::string prefix_;
  bool at_start_ = true;
};

}  // namespace runnel_cli
