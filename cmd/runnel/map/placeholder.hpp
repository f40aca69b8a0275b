// Placeholders, the words in braces of a command that stand for items.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "map/job.hpp"

namespace runnel_cli {

/// What of a value is meant.
enum class value_part : std::uint8_t { whole, no_extension, base, directory, base_no_extension };

struct placeholder {
  enum class kind : std::uint8_t { items, nth, job, worker };

  kind what = kind::items;
  value_part part = value_part::whole;
  std::size_t n = 0;  // from 1, of kind::nth

  /// Whether it stands for a value, and not for a number of ours.
  bool is_item() const { return what == kind::items || what == kind::nth; }
  friend bool operator==(const placeholder&, const placeholder&) = default;
};

/// The job number and the worker number: {#} and {%}.
struct slot {
  std::uint64_t job = 0;
  int worker = 0;
};

struct placeholder_match {
  placeholder found;
  std::size_t length;  // as it is written
};

/// The placeholder that `text` begins with: {} {#} {%} {N}, and {} and {N} with one of . / // /.
/// before the closing brace. N is a number without leading zeros. nullopt: none.
std::optional<placeholder_match> match_placeholder(std::string_view text);

/// The part of `value`; it refers to `value` or to a constant. As GNU parallel, an extension is a
/// dot and what follows of the last component, which must be something and have more than dots
/// before it. As basename(1) and dirname(1), base and directory do not count slashes at the end.
std::string_view part_of(std::string_view value, value_part part);

/// The n-th value (from 1) of all values of the items together; nullopt if there are not so many.
std::optional<std::string_view> nth_value(const std::vector<item>& items, std::size_t n);

}  // namespace runnel_cli
