// Text as a shell reads it back.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace runnel_cli {

/// `word` as one word for sh: as it is if nothing in it is special, else in single quotes.
std::string shell_quote(std::string_view word);

/// The command as one could type it into a shell.
std::string shell_line(const std::vector<std::string>& argv);

}  // namespace runnel_cli
