#include <charconv>
#include <string>
#include <system_error>

#include "command.hpp"

namespace runnel_cli {

int parse_count(const std::string& option, const std::string& text, int low, int high) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw usage_error(option + ": '" + text + "' is not a whole number from " +
                      std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

}  // namespace runnel_cli
