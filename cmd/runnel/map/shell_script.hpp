// A script for `sh -c` with placeholders, and values that cannot do any harm in it.
//
// Values never become part of the script. They are arguments of the shell, the script begins with
// assignments of them to variables (_1=${1} ...; set --), and where a placeholder stands it refers
// to them, quoted as that place needs. The shell does not read again what a reference stands for,
// so whatever a value holds, it cannot run. That does not depend on our reading of the script: for
// a place that is mistaken for another kind, the value is split into words, or the reference stays
// as it is. Variables, since the shell's own parameters are others inside a function and after
// `set` and `shift`.
//
// The reading of the script is simple: quotes, backslashes, $(...), ${...}, $((...)), backquotes.
// Not understood, and so perhaps mistaken: here-documents, comments with quotes in them, `case`
// within $(...), and quotes behind backslashes in backquotes. A value that the script has evaluated
// again (eval, another sh -c, bash's arithmetic) is beyond our reach.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "map/job.hpp"
#include "map/placeholder.hpp"

namespace runnel_cli {

class shell_script {
 public:
  /// The text as it was typed. Without any placeholder, one for items is appended. `${N}` and `${#}`
  /// are the shell's and no placeholders.
  explicit shell_script(std::string_view text);

  /// The command to execute: {"sh", "-c", SCRIPT, "sh", VALUE...}, without what follows the script
  /// if no value is placed.
  std::vector<std::string> command(const std::vector<item>& items, slot place) const;

  /// The script with the values in it, quoted: for people to read.
  std::string line(const std::vector<item>& items, slot place) const;

  /// Whether a placeholder stands in the text for an item, and not only for a number of ours.
  bool places_items() const { return places_items_; }

  /// As command_template::item_space().
  std::size_t item_space(std::size_t space) const;

 private:
  class parser;
  // `appended`: as `none`, with a blank before each value and not only between them.
  enum class quoting : std::uint8_t { none, appended, in_single, in_double };

  // A literal, and the placeholder after it; the last one has none.
  struct piece {
    static constexpr std::size_t no_use = SIZE_MAX;
    std::string literal;
    std::size_t use = no_use;  // index of uses_
    quoting quotes = quoting::none;
  };

  void add(std::string literal, const placeholder& p, quoting quotes);

  std::vector<piece> pieces_;
  std::vector<placeholder> uses_;  // no two are equal
  bool places_items_ = false;
};

}  // namespace runnel_cli
