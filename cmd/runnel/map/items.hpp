// Where the items of jobs come from: standard input, files, and lists among the arguments.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <runnel/context.hpp>

#include "map/job.hpp"

namespace runnel_cli {

struct item_options {
  /// What follows one ':::' or ':::+'.
  struct list {
    bool linked = false;  // ':::+': goes along with the list before it
    std::vector<std::string> values;
  };

  bool nul = false;                // -0: values end with NUL instead of a line end
  std::vector<std::string> files;  // -a FILE, "-": standard input
  std::vector<list> lists;
};

/// Splits what stands after the options, COMMAND [ARG...] [::: VALUE...]..., and gives the command
/// with its arguments; the lists are appended to `lists`. Throws usage_error if ':::+' has no list
/// before it, and for '::::' and '::::+', which mean files elsewhere.
std::vector<std::string> split_lists(std::vector<std::string> arguments,
                                     std::vector<item_options::list>& lists);

/// A sequence of items. For one goroutine at a time.
class item_source {
 public:
  virtual ~item_source() = default;

  /// The next item; nullopt: there are no more, or the context that the source was opened with was
  /// done when input was needed. Blocks the goroutine while it waits for input. Throws
  /// std::runtime_error("FILE: why") if a source cannot be read; it is not to be called again then.
  virtual std::optional<item> next() = 0;

  /// How many items there are altogether; nullopt if that is not known beforehand, which is so
  /// unless all of them come from lists.
  virtual std::optional<std::uint64_t> total() const = 0;
};

/// All combinations of the values of the files and then the lists, the last source varying fastest;
/// a linked list and the one before it are gone through side by side, as long as both have values.
/// A source without values leaves no combination. Neither files nor lists: the lines of standard
/// input.
///
/// A line ends with "\n" alone, and the last one may lack it; an empty line is an item. One that no
/// argument can be, since it is too long for the system or holds a NUL byte, is an item with
/// trouble. A file that is the first source is read as items are asked for and takes the memory of
/// one argument, however long its lines are; one further on is kept in memory, since it is gone
/// through again and again.
///
/// Opens the files at once (which blocks the goroutine while a FIFO has no writer). Throws
/// usage_error naming one that cannot be opened, and if standard input is named twice.
std::unique_ptr<item_source> open_items(item_options options, const runnel::context& ctx = {});

}  // namespace runnel_cli
