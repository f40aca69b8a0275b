#include "map/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

#include "command.hpp"
#include "map/formatted.hpp"

namespace runnel_cli {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

struct unit {
  std::string_view name;
  double factor;
};

constexpr std::array time_units{unit{"d", 86400e9}, unit{"h", 3600e9}, unit{"m", 60e9},
                                unit{"s", 1e9},     unit{"ms", 1e6},   unit{"us", 1e3},
                                unit{"ns", 1}};

[[noreturn]] void refuse(const std::string& option, const std::string& text,
                         const std::string& why) {
  throw usage_error(option + ": '" + text + "' " + why);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes a plain decimal number, without sign or exponent, off the front of `rest`.
std::optional<double> take_number(std::string_view& rest) {
  if (rest.empty() || !(is_digit(rest.front()) || rest.front() == '.')) return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
  if (error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // too large, or as good as zero
    const bool below_one = rest.find_first_not_of('0') == rest.find('.');
    value = below_one ? 0 : std::numeric_limits<double>::infinity();
  }
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return value;
}

std::string_view take_letters(std::string_view& rest) {
  std::size_t count = 0;
  while (count < rest.size() && !is_digit(rest[count]) && rest[count] != '.') ++count;
  const std::string_view letters = rest.substr(0, count);
  rest.remove_prefix(count);
  return letters;
}

constexpr double too_long = 9.2e18;  // nanoseconds

// Nanoseconds; nothing if it is not a duration. May be more than a nanoseconds can hold.
std::optional<double> read_duration(std::string_view rest) {
  const std::string_view all = rest;
  if (const auto seconds = take_number(rest); seconds && rest.empty()) return *seconds * 1e9;
  rest = all;
  double sum = 0;
  double shortest = std::numeric_limits<double>::infinity();
  do {
    const auto number = take_number(rest);
    if (!number) return std::nullopt;
    const std::string_view name = take_letters(rest);
    const auto* const found = std::ranges::find(time_units, name, &unit::name);
    if (found == time_units.end() || found->factor >= shortest) return std::nullopt;
    shortest = found->factor;
    sum += *number * found->factor;
  } while (!rest.empty());
  return sum;
}

// The factor of a size's suffix; nothing if there is none of that name.
std::optional<double> size_factor(std::string_view suffix) {
  if (suffix.empty() || suffix == "B") return 1;
  constexpr std::string_view binary = "KMGTP";
  constexpr std::string_view decimal = "kmgtp";
  const std::string_view tail = suffix.substr(1);
  const std::size_t upper = binary.find(suffix.front());
  const std::size_t lower = decimal.find(suffix.front());
  if (upper == std::string_view::npos && lower == std::string_view::npos) return std::nullopt;
  const auto power = static_cast<double>(std::min(upper, lower) + 1);
  if (upper != std::string_view::npos && (tail.empty() || tail == "iB")) {
    return std::pow(1024.0, power);
  }
  if (tail == "B" || tail.empty()) return std::pow(1000.0, power);
  return std::nullopt;
}

// A number, or a percentage of `whole`; nothing if it is neither.
std::optional<double> number_or_percentage(std::string_view rest, double whole) {
  const auto number = take_number(rest);
  if (!number) return std::nullopt;
  if (rest == "%") return *number * whole / 100;
  return rest.empty() ? number : std::nullopt;
}

std::optional<int> whole_number(std::string_view digits) {
  if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  (void)end;
  return error == std::errc() ? value : std::numeric_limits<int>::max();
}

// What `text` asks for, before it is looked at whether that many are allowed.
std::optional<double> wanted_jobs(const std::string& text, int cpus) {
  const std::string_view view = text;
  if (view.starts_with('+') || view.starts_with('-')) {
    const auto count = whole_number(view.substr(1));
    if (!count) return std::nullopt;
    return view.front() == '+' ? double{1} * cpus + *count
                               : std::max(1.0, double{1} * cpus - *count);
  }
  if (view.ends_with('%')) {
    const auto share = number_or_percentage(view, cpus);
    return !share || *share <= 0 ? share : std::max(1.0, std::floor(*share));
  }
  return whole_number(view);
}

// How many `units` are nearest to `d`; at most an int's worth, which is enough to see that it is too
// many. std::chrono::round overflows near the longest duration.
int rounded(nanoseconds d, nanoseconds units) {
  const std::int64_t count = d / units + (d % units >= units / 2 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(count, std::numeric_limits<int>::max()));
}

}  // namespace

nanoseconds parse_duration(const std::string& option, const std::string& text) {
  const auto ns = read_duration(text);
  if (!ns) {
    const bool negative = text.size() > 1 && text[0] == '-' && read_duration(text.substr(1));
    refuse(option, text,
           std::string(negative ? "is negative" : "is not a duration") +
               "; give seconds (\"10\", \"1.5\") or a number with ms, s, m, h or d (\"250ms\", "
               "\"1m30s\")");
  }
  if (*ns >= too_long) refuse(option, text, "is too long; the most is 106000d");
  return nanoseconds(std::llround(*ns));
}

std::size_t parse_size(const std::string& option, const std::string& text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  const auto factor = number ? size_factor(rest) : std::nullopt;
  if (!factor) {
    refuse(option, text,
           "is not a size; give bytes (\"4096\") or a number with K, M, G or T (powers of 1024) or "
           "with k, m, g or t (powers of 1000)");
  }
  // Strictly less than 2^64 (2^32), which is the first double that does not fit.
  const double bytes = std::round(*number * *factor);
  if (!(bytes < std::ldexp(1.0, std::numeric_limits<std::size_t>::digits))) {
    refuse(option, text, "is too large a size for this machine");
  }
  return static_cast<std::size_t>(bytes);
}

double parse_rate(const std::string& option, const std::string& text) {
  constexpr double slowest = 1e-9;
  std::string_view rest = text;
  const auto number = take_number(rest);
  std::optional<double> period = 1e9;
  if (number && !rest.empty()) {
    std::string per(rest.substr(1));
    if (!per.empty() && !is_digit(per.front())) per.insert(0, "1");
    period = rest.front() == '/' && !per.empty() ? read_duration(per) : std::nullopt;
  }
  if (!number || !period) {
    refuse(option, text, "is not a rate; give a number per time (\"100/s\", \"30/m\", \"5/h\")");
  }
  const double per_second = *number * 1e9 / *period;
  if (!(per_second >= slowest) || std::isinf(per_second)) {
    refuse(option, text, "is out of range; a rate is at least one in 30 years, and finite");
  }
  return per_second;
}

int parse_jobs(const std::string& option, const std::string& text, int cpus) {
  const auto wanted = wanted_jobs(text, cpus);
  if (!wanted) {
    refuse(option, text,
           "is not a number of jobs; give N, N% of the CPUs, or +N or -N (more or fewer than the "
           "CPUs)");
  }
  if (*wanted <= 0) {
    refuse(option, text,
           "would be no job at all, or a number without bound; give at least 1 (\"100%\": one for "
           "each CPU)");
  }
  if (*wanted > most_jobs) {
    refuse(option, text, "is too many; the most is " + std::to_string(most_jobs));
  }
  return static_cast<int>(*wanted);
}

double parse_load(const std::string& option, const std::string& text, int cpus) {
  const auto load = number_or_percentage(text, cpus);
  if (!load || !(*load > 0) || std::isinf(*load)) {
    refuse(option, text,
           "is not a load; give a number above 0 (\"4.5\") or N% of the CPUs (\"80%\")");
  }
  return *load;
}

// Rounding comes first, so that no unit ever shows as many as the next one is made of.
std::string format_duration(nanoseconds d) {
  // The most negative one has no positive counterpart.
  if (d < nanoseconds::zero()) return "-" + format_duration(-std::max(d, -nanoseconds::max()));
  if (d == nanoseconds::zero()) return "0s";
  if (d < 1us) return formatted("%dns", static_cast<int>(d.count()));
  if (const int us = rounded(d, 1us); us < 1000) return formatted("%dus", us);
  if (const int ms = rounded(d, 1ms); ms < 1000) return formatted("%dms", ms);
  if (const int t = rounded(d, 100ms); t < 600) return formatted("%d.%ds", t / 10, t % 10);
  if (const int s = rounded(d, 1s); s < 3600) return formatted("%dm%02ds", s / 60, s % 60);
  if (const int m = rounded(d, 1min); m < 24 * 60) return formatted("%dh%02dm", m / 60, m % 60);
  const int h = rounded(d, 1h);
  return formatted("%dd%02dh", h / 24, h % 24);
}

}  // namespace runnel_cli
