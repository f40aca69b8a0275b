// Text in one line.
#pragma once
#include <string>
#include <string_view>

namespace runnel_cli {

/// `text` with a backslash and a letter in place of each line feed, carriage return and tab that `which` holds, and two
/// backslashes for one if it holds that.
inline std::string backslashed(std::string_view text, std::string_view which) {
  constexpr std::string_view special = "\n\r\t\\";
  constexpr std::string_view letters = "nrt\\";
  std::string result;
  for (const char c : text) {
    const bool is_special = which.find(c) != std::string_view::npos;
    if (is_special) result += '\\';
    result += is_special ? letters[special.find(c)] : c;
  }
  return result;
}

}  // namespace runnel_cli
