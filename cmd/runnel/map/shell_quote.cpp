#include "map/shell_quote.hpp"

#include <algorithm>
#include <array>

namespace runnel_cli {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

std::string in_single_quotes(std::string_view word) {
  std::string result = "'";
  for (const char c : word) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result += '\'';
}

// As the first word of a command it would be syntax: an assignment or a reserved word. Those made
// of special characters are quoted anyway.
bool is_syntax_in_front(std::string_view word) {
  static constexpr std::array<std::string_view, 17> reserved = {
      "case",     "coproc", "do", "done",   "elif", "else", "esac",  "fi",   "for",
      "function", "if",     "in", "select", "then", "time", "until", "while"};
  return word.find('=') != std::string_view::npos ||
         std::ranges::find(reserved, word) != reserved.end();
}

}  // namespace

std::string shell_quote(std::string_view word) {
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return std::string(word);
  return in_single_quotes(word);
}

std::string shell_line(const std::vector<std::string>& argv) {
  std::string line;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0) line += ' ';
    line +=
        i == 0 && is_syntax_in_front(argv[i]) ? in_single_quotes(argv[i]) : shell_quote(argv[i]);
  }
  return line;
}

}  // namespace runnel_cli
