#include "map/command_template.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "command.hpp"
#include "map/batch.hpp"

namespace runnel_cli {
namespace {

bool is_list(const std::optional<placeholder>& p) {
  return p && p->what == placeholder::kind::items;
}

void append_fields(std::string& text, const item& i, value_part part) {
  const char* separator = "";
  for (const std::string& field : i.fields) {
    text += std::exchange(separator, " ");
    text += part_of(field, part);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  const char* separator = "";
  for (const std::string& word : words) {
    result += std::exchange(separator, " ");
    result += word;
  }
  return result;
}

}  // namespace

command_template::command_template(const std::vector<std::string>& arguments, bool shell) {
  if (arguments.empty()) throw usage_error("there is no command to run: COMMAND [ARG...]");
  for (const std::string& text : arguments) fixed_bytes_ += text.size() + argument_overhead;
  if (shell) {
    script_.emplace(joined(arguments));
    places_items_ = script_->places_items();
    return;
  }
  for (const std::string& text : arguments) {
    arguments_.push_back(parse(text));
    for (const piece& p : arguments_.back().pieces) {
      if (!p.value) continue;
      appends_items_ = false;
      places_items_ = places_items_ || p.value->is_item();
    }
  }
}

command_template::argument command_template::parse(std::string_view text) {
  argument result;
  std::string literal;
  while (!text.empty()) {
    if (const auto match = match_placeholder(text)) {
      result.pieces.push_back({std::exchange(literal, {}), match->found});
      text.remove_prefix(match->length);
    } else {
      literal += text.front();
      text.remove_prefix(1);
    }
  }
  if (!literal.empty()) result.pieces.push_back({std::move(literal), std::nullopt});
  result.repeated =
      std::ranges::any_of(result.pieces, [](const piece& p) { return is_list(p.value); });
  return result;
}

std::string command_template::render(const argument& a, const std::vector<item>& items,
                                     const item* present, slot place) {
  std::string result;
  for (const piece& p : a.pieces) {
    result += p.literal;
    if (!p.value) continue;
    switch (p.value->what) {
      case placeholder::kind::items:
        if (present != nullptr) append_fields(result, *present, p.value->part);
        break;
      case placeholder::kind::nth:
        if (const auto value = nth_value(items, p.value->n)) {
          result += part_of(*value, p.value->part);
        }
        break;
      case placeholder::kind::job:
        result += std::to_string(place.job);
        break;
      case placeholder::kind::worker:
        result += std::to_string(place.worker);
        break;
    }
  }
  return result;
}

std::vector<std::string> command_template::expand(const std::vector<item>& items,
                                                  slot place) const {
  if (script_) return script_->command(items, place);
  std::vector<std::string> argv;
  argv.reserve(arguments_.size() + items.size());
  for (const argument& a : arguments_) {
    if (!a.repeated || items.empty()) {
      argv.push_back(render(a, items, nullptr, place));
      continue;
    }
    for (const item& present : items) argv.push_back(render(a, items, &present, place));
  }
  if (!appends_items_) return argv;
  for (const item& i : items) argv.insert(argv.end(), i.fields.begin(), i.fields.end());
  return argv;
}

std::string command_template::line(const std::vector<item>& items, slot place) const {
  return script_ ? script_->line(items, place) : shell_line(expand(items, place));
}

bool command_template::places_items() const { return places_items_; }

// A value of length L counts as L + argument_overhead and costs `copies` times L and `rest` at most,
// which is no more than what it counts times the greater of `copies` and rest / argument_overhead.
std::size_t command_template::item_space(std::size_t space) const {
  if (script_) return script_->item_space(space);
  std::size_t copies = 0;
  std::size_t rest = 0;
  for (const argument& a : arguments_) {
    if (!a.repeated) continue;
    rest += argument_overhead;
    for (const piece& p : a.pieces) {
      rest += p.literal.size();
      if (is_list(p.value)) ++copies;
    }
  }
  return space * argument_overhead /
         std::max({argument_overhead, copies * argument_overhead, rest});
}

}  // namespace runnel_cli
