// Numbers in texts.
#pragma once
#include <charconv>
#include <string_view>
#include <system_error>

namespace runnel_cli {

/// Whether all of `text` is a number that fits into `value`, which has it then.
template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace runnel_cli
