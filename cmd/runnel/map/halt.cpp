#include "map/halt.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <vector>

#include "command.hpp"
#include "read_number.hpp"
#include "suggest.hpp"

namespace runnel_cli {
namespace {

constexpr std::uint64_t fewest_for_a_share = 3;

struct old_form {
  std::string_view text;
  std::string_view meaning;
};

constexpr std::array old_forms{old_form{"0", "never"}, old_form{"1", "soon,fail=1"},
                               old_form{"2", "now,fail=1"}, old_form{"-1", "soon,success=1"},
                               old_form{"-2", "now,success=1"}};

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw usage_error("--halt: '" + text + "' " + why);
}

// What GNU parallel's old form `text` means today; anything else is given back.
std::string modern(const std::string& text) {
  const auto* const found = std::ranges::find(old_forms, text, &old_form::text);
  if (found != old_forms.end()) return std::string(found->meaning);
  const bool share = text.size() > 1 && text.back() == '%' &&
                     text.find_first_not_of("0123456789") == text.size() - 1;
  return share ? "soon,fail=" + text : text;
}

std::string jobs(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " job" : " jobs");
}

bool reaches_share(std::uint64_t count, std::uint64_t of, std::uint64_t percent) {
  return static_cast<double>(count) * 100 >= static_cast<double>(of) * static_cast<double>(percent);
}

}  // namespace

halt_policy halt_policy::parse(const std::string& text) {
  const std::string meaning = modern(text);
  const std::size_t comma = meaning.find(',');
  const std::string when = meaning.substr(0, comma);
  halt_policy policy;
  policy.text_ = text;
  if (when == "never") {
    if (comma != std::string::npos) refuse(text, "has a condition that can have no effect");
    return policy;
  }
  if (when != "soon" && when != "now") {
    refuse(text,
           "does not begin with never, soon or now" + did_you_mean(when, {"never", "soon", "now"}));
  }
  policy.when_ = when == "soon" ? halt_when::soon : halt_when::now;
  if (comma != std::string::npos) policy.set_condition(text, meaning.substr(comma + 1));
  return policy;
}

void halt_policy::set_condition(const std::string& text, const std::string& condition) {
  const std::size_t equals = condition.find('=');
  const std::string name = condition.substr(0, equals);
  const std::vector<std::string> names{"fail", "success", "done"};
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    refuse(text,
           "has no condition that is known; give fail=N, success=N or done=N, or N% instead "
           "of N" +
               did_you_mean(name, names));
  }
  what_ = static_cast<counted>(found - names.begin());
  std::string_view number;
  if (equals != std::string::npos) number = std::string_view(condition).substr(equals + 1);
  percent_ = number.ends_with('%');
  if (percent_) number.remove_suffix(1);
  if (!read_number(number, limit_) || limit_ < 1) {
    refuse(text, "lacks a whole number from 1 up after '" + name + "=', as in '" + name + "=3'");
  }
  if (percent_ && limit_ > 100) refuse(text, "asks for more than 100%");
}

halt_when halt_policy::after(const job_result& result) {
  if (!reached_ && result.how != outcome::cancelled) {
    ++(is_success(result) ? succeeded_ : failed_);
    reached_ = when_ != halt_when::never && met();
  }
  return reached_ ? when_ : halt_when::never;
}

std::uint64_t halt_policy::count() const {
  if (what_ == counted::done) return failed_ + succeeded_;
  return what_ == counted::fail ? failed_ : succeeded_;
}

bool halt_policy::met() const {
  if (!percent_) return count() >= limit_;
  if (what_ == counted::done) return total_ && reaches_share(count(), *total_, limit_);
  return count() >= fewest_for_a_share && reaches_share(count(), failed_ + succeeded_, limit_);
}

std::string halt_policy::why() const {
  if (!reached_) return "";
  constexpr std::array verbs{" failed", " succeeded", " ended"};
  const std::uint64_t ended = failed_ + succeeded_;
  std::string amount = jobs(count());
  if (percent_) {
    const std::uint64_t all = what_ == counted::done ? total_.value_or(ended) : ended;
    amount = std::to_string(count()) + " of " + jobs(all);
  }
  return amount + verbs[static_cast<std::size_t>(what_)] + " (--halt " + text_ + ")";
}

void halter::set_total(std::uint64_t jobs) {
  const std::lock_guard hold(mu_);
  policy_.set_total(jobs);
}

std::string halter::job_ended(const job_result& result) {
  const std::lock_guard hold(mu_);
  const bool before = policy_.reached();
  const halt_when now = policy_.after(result);
  if (before || now == halt_when::never) return "";
  stop_(now);
  return policy_.why();
}

bool halter::success_reached() const {
  const std::lock_guard hold(mu_);
  return policy_.success_reached();
}

}  // namespace runnel_cli
