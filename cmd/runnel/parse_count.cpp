#include <string>

#include "command.hpp"
#include "read_number.hpp"

namespace runnel_cli {

int parse_count(const std::string& option, const std::string& text, int low, int high) {
  int value = 0;
  if (!read_number(text, value) || value < low || value > high) {
    throw usage_error(option + ": '" + text + "' is not a whole number from " +
                      std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

}  // namespace runnel_cli
