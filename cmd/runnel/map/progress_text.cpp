// The text of the progress line, and the rate in it. What draws it is in progress.cpp.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "map/formatted.hpp"
#include "map/progress.hpp"
#include "map/units.hpp"

namespace runnel_cli {
namespace {

constexpr std::size_t shortest_bar = 10;  // columns, with its brackets
constexpr std::size_t longest_bar = 40;
constexpr std::size_t gap = 2;

// Parts of the line; those with the greatest rank are left out first.
struct part {
  std::string text;
  int rank;
};

double fraction(const progress_state& state) {
  const std::uint64_t total = state.total.value_or(0);
  if (total == 0) return state.total ? 1 : 0;
  return std::min(1.0, static_cast<double>(state.done) / static_cast<double>(total));
}

std::string rate_text(double per_second) {
  if (per_second >= 100) return formatted("%.0f/s", per_second);
  if (per_second >= 1) return formatted("%.1f/s", per_second);
  if (per_second * 60 >= 1) return formatted("%.1f/min", per_second * 60);
  return formatted("%.1f/h", per_second * 3600);
}

// Empty if there is nothing to tell.
std::string eta_text(const progress_state& state) {
  constexpr double longest = 100 * 86400.0;
  if (!state.total || state.done >= *state.total || !(state.rate > 0)) return "";
  const double left = std::ceil(static_cast<double>(*state.total - state.done) / state.rate);
  if (left < 60) return formatted("ETA %.0fs", left);
  if (left > longest) return "ETA over 100d";
  return "ETA " + format_duration(std::chrono::seconds(static_cast<long>(left)));
}

std::vector<part> parts_of(const progress_state& state) {
  std::vector<part> parts;
  if (state.total) parts.push_back({formatted("%3.0f%%", std::floor(fraction(state) * 100)), 2});
  const std::string done = std::to_string(state.done);
  parts.push_back({state.total ? done + "/" + std::to_string(*state.total) : done + " done", 0});
  if (state.rate > 0) parts.push_back({rate_text(state.rate), 4});
  if (const std::string eta = eta_text(state); !eta.empty()) parts.push_back({eta, 3});
  parts.push_back({std::to_string(state.running) + " running", 5});
  parts.push_back({std::to_string(state.failed) + " failed", 1});
  return parts;
}

std::string join(const std::vector<part>& parts) {
  std::string line;
  for (const part& p : parts) {
    if (!line.empty()) line.append(gap, ' ');
    line += p.text;
  }
  return line;
}

std::string bar(double full, std::size_t columns) {
  const std::size_t inside = columns - 2;
  const auto filled = static_cast<std::size_t>(full * static_cast<double>(inside));
  std::string text(filled, '=');
  if (filled < inside) text += '>';
  text.resize(inside, ' ');
  return "[" + text + "]";
}

}  // namespace

std::string render(const progress_state& state, int width) {
  const std::size_t room = width > 0 ? static_cast<std::size_t>(width) : 0;
  std::vector<part> parts = parts_of(state);
  std::string line = join(parts);
  while (line.size() > room && parts.size() > 1) {
    parts.erase(std::ranges::max_element(parts, {}, &part::rank));
    line = join(parts);
  }
  if (state.total && room >= line.size() + gap + shortest_bar) {
    const std::size_t columns = std::min(longest_bar, room - line.size() - gap);
    line = bar(fraction(state), columns) + std::string(gap, ' ') + line;
  }
  if (line.size() > room) line.resize(room);
  return line;
}

std::string render_plain(const progress_state& state) {
  std::string line = join(parts_of(state));
  line.erase(0, line.find_first_not_of(' '));
  return "runnel map: " + line + std::string(gap, ' ') + format_duration(state.elapsed) +
         " elapsed";
}

void rate_meter::sample(std::chrono::nanoseconds at, std::uint64_t done) {
  if (at <= at_ || done < done_) return;
  const double now = std::chrono::duration<double>(at).count();
  const double passed = std::chrono::duration<double>(at - at_).count();
  const double share = 1 - std::exp(-passed / std::max(10.0, now / 5));
  smoothed_ += share * (static_cast<double>(done - done_) / passed - smoothed_);
  weight_ += share * (1 - weight_);
  at_ = at;
  done_ = done;
}

}  // namespace runnel_cli
