// The command of a job, made of what was typed and the job's items.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "map/job.hpp"
#include "map/placeholder.hpp"
#include "map/shell_quote.hpp"
#include "map/shell_script.hpp"

namespace runnel_cli {

/// Parsed once, expanded for every job; expanding is safe from any number of goroutines.
///
/// {} stands for an item, {N} for the N-th value of all values of the job (empty if there are not
/// so many), {#} for the job's number, {%} for the worker's; {.} {/} {//} {/.} and {N.} and so on
/// for parts of them, see value_part. Anything else in braces stays as it is written. Without any
/// placeholder, the values of the items are appended.
///
/// Without a shell: {} is one argument or part of one, with the values of an item separated by
/// blanks. An argument with {} (or a part of it, but not {N}) is there once for each item; once,
/// with nothing in place of {}, if there are no items.
///
/// With a shell: the arguments, joined by blanks, are the script. {} stands for all values of all
/// items, separated by blanks, each a word of its own unless {} is in quotes.
class command_template {
 public:
  /// `arguments`: COMMAND [ARG...]. Throws usage_error if there is none.
  command_template(const std::vector<std::string>& arguments, bool shell);

  /// What to execute, for execvp(3); with a shell see shell_script::command().
  std::vector<std::string> expand(const std::vector<item>& items, slot place) const;

  /// The same for people to read, as one could type it into a shell. With a shell, the script with
  /// quoted values in it.
  std::string line(const std::vector<item>& items, slot place) const;

  /// Whether a placeholder stands for an item, and not only for a number of ours.
  bool places_items() const;

  /// What the command takes without items, as one_or_more() counts.
  std::size_t fixed_bytes() const { return fixed_bytes_; }

  /// How much of `space`, in bytes as one_or_more() counts, items may take so that the whole
  /// command fits in: less if items are put in several times or along with much other text.
  /// Values of {N} are left out of account.
  std::size_t item_space(std::size_t space) const;

 private:
  // A literal, and the placeholder after it; the last one may have none.
  struct piece {
    std::string literal;
    std::optional<placeholder> value;
  };
  struct argument {
    std::vector<piece> pieces;
    bool repeated = false;  // there once for each item
  };

  static argument parse(std::string_view text);
  static std::string render(const argument& a, const std::vector<item>& items, const item* present,
                            slot place);

  std::size_t fixed_bytes_ = 0;
  std::optional<shell_script> script_;  // with a shell; then there are no arguments_
  std::vector<argument> arguments_;
  bool places_items_ = false;
  bool appends_items_ = true;
};

}  // namespace runnel_cli
