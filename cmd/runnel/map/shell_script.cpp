#include "map/shell_script.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "map/batch.hpp"
#include "map/shell_quote.hpp"

namespace runnel_cli {

// Goes through the text once. `open_` holds what has been opened and not yet closed, the innermost
// last; it decides what a character means.
class shell_script::parser {
 public:
  parser(std::string_view text, shell_script& script) : rest_(text), script_(script) {}

  // Gives the literal after the last placeholder.
  std::string run() {
    while (!rest_.empty()) {
      if (const auto match = match_placeholder(rest_)) {
        script_.add(std::exchange(literal_, {}), match->found, quotes());
        rest_.remove_prefix(match->length);
      } else {
        step();
      }
    }
    return std::move(literal_);
  }

 private:
  enum class opened : std::uint8_t {
    single_quotes,
    double_quotes,
    command,
    arithmetic,
    brace,
    backquote
  };
  struct level {
    opened what;
    quoting quotes;       // of a placeholder here
    int parentheses = 0;  // that are open, of `command` and `arithmetic`
  };

  quoting quotes() const { return open_.empty() ? quoting::none : open_.back().quotes; }
  bool inside(opened what) const { return !open_.empty() && open_.back().what == what; }

  void take(std::size_t count) {
    literal_ += rest_.substr(0, count);
    rest_.remove_prefix(std::min(count, rest_.size()));
  }
  void open(opened what, quoting quotes, std::string_view by) {
    open_.push_back({what, quotes, static_cast<int>(std::ranges::count(by, '('))});
    take(by.size());
  }

  void step() {
    const char c = rest_.front();
    if (c == '$') {
      dollar();
    } else if (inside(opened::single_quotes)) {
      if (c == '\'') open_.pop_back();
      take(1);
    } else if (c == '\\') {
      backslash();
    } else if (c == '\'' && quotes() == quoting::none) {
      open(opened::single_quotes, quoting::in_single, "'");
    } else if (c == '"') {
      double_quote();
    } else if (c == '`') {
      backquote();
    } else {
      bracket(c);
      take(1);
    }
  }

  // A placeholder is no shell's word, so a dollar or a backslash before one is what it is before
  // any other ordinary character.
  void dollar() {
    const auto match = match_placeholder(rest_.substr(1));
    if (match && (match->found.what == placeholder::kind::nth ||
                  match->found.what == placeholder::kind::job)) {
      take(1 + match->length);
    } else if (inside(opened::single_quotes)) {
      take(1);
    } else if (match) {
      literal_ += '\\';
      take(1);
    } else if (rest_.starts_with("$((")) {
      open(opened::arithmetic, quoting::in_double, "$((");
    } else if (rest_.starts_with("$(")) {
      open(opened::command, quoting::none, "$(");
    } else if (rest_.starts_with("${")) {
      open(opened::brace, quotes(), "${");
    } else {
      take(rest_.starts_with("$$") ? 2 : 1);
    }
  }

  void backslash() {
    if (!match_placeholder(rest_.substr(1))) {
      take(2);
    } else if (quotes() == quoting::none) {
      rest_.remove_prefix(1);
    } else {
      literal_ += '\\';
      take(1);
    }
  }

  void double_quote() {
    if (inside(opened::double_quotes)) {
      open_.pop_back();
      take(1);
    } else {
      open(opened::double_quotes, quoting::in_double, "\"");
    }
  }

  // There is no way to open one within another, so this closes the one that is open, with all that
  // was left open in it.
  void backquote() {
    const auto is_backquote = [](const level& l) { return l.what == opened::backquote; };
    const auto found = std::ranges::find_if(open_, is_backquote);
    if (found == open_.end()) {
      open(opened::backquote, quoting::none, "`");
    } else {
      open_.erase(found, open_.end());
      take(1);
    }
  }

  void bracket(char c) {
    if (inside(opened::command) || inside(opened::arithmetic)) {
      if (c == '(') ++open_.back().parentheses;
      if (c == ')' && --open_.back().parentheses == 0) open_.pop_back();
    } else if (inside(opened::brace) && c == '}') {
      open_.pop_back();
    }
  }

  std::string_view rest_;
  shell_script& script_;
  std::string literal_;
  std::vector<level> open_;
};

namespace {

// The values of one placeholder: for {} as many as the items have.
struct value_list {
  std::vector<std::string> values;
  std::size_t first = 0;  // the number of the first one among all, from 0
};

std::vector<std::string> values_of(const placeholder& p, const std::vector<item>& items,
                                   slot place) {
  switch (p.what) {
    case placeholder::kind::job:
      return {std::to_string(place.job)};
    case placeholder::kind::worker:
      return {std::to_string(place.worker)};
    case placeholder::kind::nth: {
      const auto value = nth_value(items, p.n);
      return {std::string(value ? part_of(*value, p.part) : std::string_view())};
    }
    case placeholder::kind::items:
      break;
  }
  std::vector<std::string> result;
  for (const item& i : items) {
    for (const std::string& field : i.fields) result.emplace_back(part_of(field, p.part));
  }
  return result;
}

std::vector<value_list> all_values(const std::vector<placeholder>& uses,
                                   const std::vector<item>& items, slot place) {
  std::vector<value_list> result;
  std::size_t count = 0;
  for (const placeholder& p : uses) {
    result.push_back({values_of(p, items, place), count});
    count += result.back().values.size();
  }
  return result;
}

// Inside double quotes it stands for the value as it is.
std::string reference(std::size_t number) { return "${_" + std::to_string(number + 1) + "}"; }

std::string assignments(std::size_t count) {
  std::string result;
  for (std::size_t i = 1; i <= count; ++i) {
    const std::string number = std::to_string(i);
    result += '_';
    result += number;
    result += "=${";
    result += number;
    result += "} ";
  }
  result.back() = ';';
  return result += " set --; ";
}

std::string escaped(std::string_view value, std::string_view special, std::string_view by) {
  std::string result;
  for (const char c : value) {
    if (special.find(c) != std::string_view::npos) result += by;
    result += c;
  }
  return result;
}

}  // namespace

shell_script::shell_script(std::string_view text) {
  std::string tail = parser(text, *this).run();
  if (uses_.empty()) {
    add(std::exchange(tail, {}), placeholder{}, quoting::appended);
    places_items_ = false;
  }
  pieces_.push_back({.literal = std::move(tail)});
}

void shell_script::add(std::string literal, const placeholder& p, quoting quotes) {
  const auto found = std::ranges::find(uses_, p);
  const auto use = static_cast<std::size_t>(found - uses_.begin());
  if (found == uses_.end()) uses_.push_back(p);
  pieces_.push_back({.literal = std::move(literal), .use = use, .quotes = quotes});
  places_items_ = places_items_ || p.is_item();
}

std::vector<std::string> shell_script::command(const std::vector<item>& items, slot place) const {
  std::vector<value_list> lists = all_values(uses_, items, place);
  std::vector<std::string> argv = {"sh", "-c", "", "sh"};
  std::string script;
  for (const piece& p : pieces_) {
    script += p.literal;
    if (p.use == piece::no_use) continue;
    const value_list& list = lists[p.use];
    if (p.quotes == quoting::in_single) script += "'\"";
    for (std::size_t i = 0; i < list.values.size(); ++i) {
      if (i > 0 || p.quotes == quoting::appended) script += ' ';
      const std::string name = reference(list.first + i);
      const bool bare = p.quotes == quoting::none || p.quotes == quoting::appended;
      script += bare ? '"' + name + '"' : name;
    }
    if (p.quotes == quoting::in_single) script += "\"'";
  }
  for (value_list& list : lists) std::ranges::move(list.values, std::back_inserter(argv));
  const std::size_t count = argv.size() - 4;
  if (count == 0) argv.pop_back();
  argv[2] = count == 0 ? std::move(script) : assignments(count) + script;
  return argv;
}

std::string shell_script::line(const std::vector<item>& items, slot place) const {
  const std::vector<value_list> lists = all_values(uses_, items, place);
  std::string result;
  for (const piece& p : pieces_) {
    result += p.literal;
    if (p.use == piece::no_use) continue;
    const char* separator = p.quotes == quoting::appended ? " " : "";
    for (const std::string& value : lists[p.use].values) {
      result += std::exchange(separator, " ");
      if (p.quotes == quoting::in_double) {
        result += escaped(value, "$`\"\\", "\\");
      } else if (p.quotes == quoting::in_single) {
        result += escaped(value, "'", "'\\'");
      } else {
        result += shell_quote(value);
      }
    }
  }
  return result;
}

std::size_t shell_script::item_space(std::size_t space) const {
  constexpr std::size_t name = sizeof "${_12345} \"\"";
  constexpr std::size_t assignment = sizeof "_12345=${12345} ";
  const auto is_list = [](const placeholder& p) { return p.what == placeholder::kind::items; };
  const auto lists = static_cast<std::size_t>(std::ranges::count_if(uses_, is_list));
  const auto names = static_cast<std::size_t>(std::ranges::count_if(
      pieces_, [&](const piece& p) { return p.use != piece::no_use && is_list(uses_[p.use]); }));
  if (names == 0) return space;
  return space * argument_overhead / (lists * (argument_overhead + assignment) + names * name);
}

}  // namespace runnel_cli
