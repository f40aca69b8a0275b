#include "map/placeholder.hpp"

#include <charconv>
#include <limits>
#include <string>
#include <system_error>

namespace runnel_cli {
namespace {

constexpr auto npos = std::string_view::npos;

std::optional<value_part> part_named(std::string_view suffix) {
  if (suffix.empty()) return value_part::whole;
  if (suffix == ".") return value_part::no_extension;
  if (suffix == "/") return value_part::base;
  if (suffix == "//") return value_part::directory;
  if (suffix == "/.") return value_part::base_no_extension;
  return std::nullopt;
}

// What stands between the braces.
std::optional<placeholder> parse(std::string_view inside) {
  if (inside == "#") return placeholder{.what = placeholder::kind::job};
  if (inside == "%") return placeholder{.what = placeholder::kind::worker};
  placeholder result;
  if (!inside.empty() && inside.front() >= '1' && inside.front() <= '9') {
    const auto [end, error] =
        std::from_chars(inside.data(), inside.data() + inside.size(), result.n);
    // No job has that many values, so the number need not be told from other huge ones.
    if (error == std::errc::result_out_of_range) result.n = std::numeric_limits<std::size_t>::max();
    result.what = placeholder::kind::nth;
    inside.remove_prefix(static_cast<std::size_t>(end - inside.data()));
  }
  const std::optional<value_part> part = part_named(inside);
  if (!part) return std::nullopt;
  result.part = *part;
  return result;
}

std::string_view without_end_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

std::string_view base_of(std::string_view path) {
  path = without_end_slashes(path);
  const std::size_t slash = path.rfind('/');
  return slash == npos || path.size() == 1 ? path : path.substr(slash + 1);
}

std::string_view directory_of(std::string_view path) {
  path = without_end_slashes(path);
  const std::size_t slash = path.rfind('/');
  if (slash == npos) return ".";
  return without_end_slashes(path.substr(0, slash + 1));
}

std::string_view without_extension(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t begin = slash == npos ? 0 : slash + 1;
  const std::string_view name = path.substr(begin);
  const std::size_t dot = name.rfind('.');
  if (dot == npos || dot + 1 == name.size()) return path;
  if (name.find_first_not_of('.') > dot) return path;
  return path.substr(0, begin + dot);
}

}  // namespace

std::optional<placeholder_match> match_placeholder(std::string_view text) {
  if (text.empty() || text.front() != '{') return std::nullopt;
  const std::size_t close = text.find_first_not_of("0123456789./#%", 1);
  if (close == npos || text[close] != '}') return std::nullopt;
  const std::optional<placeholder> found = parse(text.substr(1, close - 1));
  if (!found) return std::nullopt;
  return placeholder_match{.found = *found, .length = close + 1};
}

std::string_view part_of(std::string_view value, value_part part) {
  switch (part) {
    case value_part::whole:
      return value;
    case value_part::no_extension:
      return without_extension(value);
    case value_part::base:
      return base_of(value);
    case value_part::directory:
      return directory_of(value);
    case value_part::base_no_extension:
      return without_extension(base_of(value));
  }
  return value;
}

std::optional<std::string_view> nth_value(const std::vector<item>& items, std::size_t n) {
  for (const item& i : items) {
    if (n <= i.fields.size()) return i.fields[n - 1];
    n -= i.fields.size();
  }
  return std::nullopt;
}

}  // namespace runnel_cli
