// "Did you mean": the known word nearest to one that was mistyped.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace runnel_cli {

/// `; did you mean 'WORD'?` with the candidate nearest to `word`, or nothing when none is near
/// (more than a third of its letters differ).
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace runnel_cli
