// Each file and each group of linked lists is a `value_source`; `combinations` puts them together.
// Only the first is gone through once, so only it may be a stream: the others are vectors.
#include "map/items.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/go.hpp>

#include "command.hpp"
#include "files.hpp"
#include "map/byte_input.hpp"

namespace runnel_cli {
namespace {

class value_source {
 public:
  virtual ~value_source() = default;
  virtual std::optional<item> next() = 0;
  virtual std::optional<std::uint64_t> total() const = 0;
};

// Linux's MAX_ARG_STRLEN, without the end.
std::size_t longest_argument() {
  static const auto longest = 32 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) - 1;
  return longest;
}

// The lines (or what else `end` ends) of a descriptor. What can be no argument is not kept: input
// of NUL-ended names may have no line end at all.
class lines final : public value_source {
 public:
  lines(std::unique_ptr<byte_input> input, char end) : input_(std::move(input)), end_(end) {}

  std::optional<item> next() override {
    item result;
    std::string line;
    bool ended = false;
    while (!ended && (!rest_.empty() || fill())) {
      const std::size_t length = rest_.find(end_);
      ended = length != std::string_view::npos;
      const std::string_view piece = rest_.substr(0, length);
      if (result.trouble.empty()) append(line, piece, result.trouble);
      rest_.remove_prefix(ended ? length + 1 : rest_.size());
    }
    if (!ended && line.empty() && result.trouble.empty()) return std::nullopt;
    ++number_;
    result.fields.push_back(std::move(line));
    return result;
  }

  std::optional<std::uint64_t> total() const override { return std::nullopt; }

 private:
  bool fill() {
    if (!over_) rest_ = input_->read();
    over_ = rest_.empty();
    return !over_;
  }

  // An argument would end at a NUL, in silence.
  void append(std::string& line, std::string_view piece, std::string& trouble) const {
    constexpr std::size_t shown = 64;
    const std::size_t nul = piece.find('\0');
    line += piece.substr(0, nul);
    if (nul != std::string_view::npos) {
      trouble = place() + " holds a NUL byte, which no argument can; if items end with NUL, use -0";
    } else if (line.size() > longest_argument()) {
      trouble = place() + " has more than " + std::to_string(longest_argument()) +
                " bytes: Argument list too long";
    } else {
      return;
    }
    if (line.size() > shown) line = line.substr(0, shown) + "...";
  }

  std::string place() const {
    return input_->name() + (end_ == '\0' ? ": item " : ": line ") + std::to_string(number_ + 1);
  }

  std::unique_ptr<byte_input> input_;
  char end_;
  std::string_view rest_;  // of what input_ read last
  bool over_ = false;      // a terminal goes on after its end; the items do not
  std::uint64_t number_ = 0;
};

class kept_values final : public value_source {
 public:
  explicit kept_values(std::vector<item> values) : values_(std::move(values)) {}

  std::optional<item> next() override {
    if (position_ == values_.size()) return std::nullopt;
    return values_[position_++];
  }
  std::optional<std::uint64_t> total() const override { return values_.size(); }

 private:
  std::vector<item> values_;
  std::size_t position_ = 0;
};

// Counts through the sources behind the first one like an odometer: `digits_[i]` is where
// `inner_[i]` stands, and when all are through, the first source goes on.
class combinations final : public item_source {
 public:
  explicit combinations(std::vector<std::unique_ptr<value_source>> sources)
      : total_(product(sources)), sources_(std::move(sources)) {}

  std::optional<item> next() override {
    try {
      if (!read_inner() || !advance()) return std::nullopt;
    } catch (const input_cancelled&) {
      return std::nullopt;
    }
    item result = *present_;
    for (std::size_t i = 0; i < inner_.size(); ++i) {
      const item& further = inner_[i][digits_[i]];
      result.fields.insert(result.fields.end(), further.fields.begin(), further.fields.end());
      if (result.trouble.empty()) result.trouble = further.trouble;
    }
    return result;
  }

  std::optional<std::uint64_t> total() const override { return total_; }

 private:
  static std::optional<std::uint64_t> product(
      const std::vector<std::unique_ptr<value_source>>& sources) {
    std::uint64_t result = 1;
    for (const auto& source : sources) {
      const std::optional<std::uint64_t> count = source->total();
      if (!count || __builtin_mul_overflow(result, *count, &result)) return std::nullopt;
    }
    return result;
  }

  // Takes the sources behind the first one into memory, once. False: one of them has no values.
  bool read_inner() {
    while (inner_.size() + 1 < sources_.size()) {
      std::vector<item> values;
      value_source& source = *sources_[inner_.size() + 1];
      while (std::optional<item> value = source.next()) values.push_back(std::move(*value));
      inner_.push_back(std::move(values));
      digits_.push_back(0);
    }
    return std::ranges::none_of(inner_, [](const auto& values) { return values.empty(); });
  }

  bool advance() {
    if (present_) {
      for (std::size_t i = inner_.size(); i-- > 0;) {
        if (++digits_[i] < inner_[i].size()) return true;
        digits_[i] = 0;
      }
    }
    present_ = sources_.front()->next();
    return present_.has_value();
  }

  std::optional<std::uint64_t> total_;
  std::vector<std::unique_ptr<value_source>> sources_;
  std::vector<std::vector<item>> inner_;  // of sources_[1] and on
  std::vector<std::size_t> digits_;       // one for each of inner_
  std::optional<item> present_;           // of sources_[0]; none before the first
};

owned_fd open_file(const std::string& path) {
  owned_fd fd;
  const runnel::error failed = runnel::blocking([&] {
    do {
      fd = owned_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    } while (!fd && errno == EINTR);
    return fd ? runnel::error() : errno_error();
  });
  if (failed) throw usage_error("cannot open '" + path + "': " + failed.message());
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw usage_error("cannot read items from '" + path + "': it is a directory");
  }
  return fd;
}

std::unique_ptr<value_source> open_lines(const std::string& path, bool nul,
                                         const runnel::context& ctx) {
  const bool is_standard_input = path == "-";
  auto input = is_standard_input ? std::make_unique<byte_input>(STDIN_FILENO, "standard input", ctx)
                                 : std::make_unique<byte_input>(open_file(path), path, ctx);
  return std::make_unique<lines>(std::move(input), nul ? '\0' : '\n');
}

// lists[begin, end), all but the first of which are linked to the one before.
std::unique_ptr<value_source> link_lists(std::vector<item_options::list>& lists, std::size_t begin,
                                         std::size_t end) {
  std::vector<item> rows;
  rows.reserve(lists[begin].values.size());
  for (std::string& value : lists[begin].values) rows.push_back({.fields = {std::move(value)}});
  for (std::size_t i = begin + 1; i < end; ++i) {
    std::vector<std::string>& values = lists[i].values;
    if (values.size() < rows.size()) rows.resize(values.size());
    for (std::size_t row = 0; row < rows.size(); ++row)
      rows[row].fields.push_back(std::move(values[row]));
  }
  return std::make_unique<kept_values>(std::move(rows));
}

}  // namespace

std::vector<std::string> split_lists(std::vector<std::string> arguments,
                                     std::vector<item_options::list>& lists) {
  std::vector<std::string> command;
  bool in_list = false;
  for (std::string& argument : arguments) {
    if (argument == ":::" || argument == ":::+") {
      const bool linked = argument == ":::+";
      if (linked && !in_list) {
        throw usage_error("':::+' is linked to the list before it, and there is none; use ':::'");
      }
      lists.push_back({.linked = linked, .values = {}});
      in_list = true;
    } else if (argument == "::::" || argument == "::::+") {
      throw usage_error("'" + argument + "' is not known: items of a file come with -a FILE");
    } else {
      (in_list ? lists.back().values : command).push_back(std::move(argument));
    }
  }
  return command;
}

std::unique_ptr<item_source> open_items(item_options options, const runnel::context& ctx) {
  if (options.files.empty() && options.lists.empty()) options.files.push_back("-");
  if (std::ranges::count(options.files, "-") > 1) {
    throw usage_error("-a -: standard input can be a source only once");
  }
  std::vector<std::unique_ptr<value_source>> sources;
  for (const std::string& path : options.files) {
    sources.push_back(open_lines(path, options.nul, ctx));
  }
  for (std::size_t begin = 0; begin < options.lists.size();) {
    std::size_t end = begin + 1;
    while (end < options.lists.size() && options.lists[end].linked) ++end;
    sources.push_back(link_lists(options.lists, begin, end));
    begin = end;
  }
  return std::make_unique<combinations>(std::move(sources));
}

}  // namespace runnel_cli
