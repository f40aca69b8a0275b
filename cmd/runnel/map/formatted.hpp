// Numbers as printf(3) writes them.
#pragma once
#include <cstdio>
#include <string>

namespace runnel_cli {

/// What printf(3) would write; what comes to more than 63 bytes is cut.
template <class... Args>
std::string formatted(const char* format, Args... args) {
  char text[64];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

}  // namespace runnel_cli
