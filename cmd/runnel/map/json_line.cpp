#include "map/json_line.hpp"

#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

namespace runnel_cli {
namespace {

using json = nlohmann::ordered_json;

json describe(const job_result& r) {
  const bool was_started = r.start != std::chrono::system_clock::time_point{};
  json object;
  object["job"] = r.number;
  object["worker"] = r.worker;
  object["outcome"] = outcome_name(r.how);
  object["exit_code"] = r.signal == 0 ? json(r.exit_code) : json();
  object["signal"] = r.signal != 0 ? json(r.signal) : json();
  object["attempts"] = r.attempts;
  object["command"] = r.command;
  object["item"] = r.label;
  object["start"] = was_started ? json(utc_time(r.start)) : json();
  object["runtime_seconds"] = seconds(r.runtime);
  object["user_seconds"] = seconds(r.user_time);
  object["system_seconds"] = seconds(r.system_time);
  if (!r.failure.empty()) object["error"] = r.failure;
  return object;
}

bool is_utf8(const json& text) {
  try {
    static_cast<void>(text.dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

// Output is UTF-8 nearly always: only where the strict form fails is it looked at member by member.
std::string to_line(json object) {
  try {
    return object.dump();
  } catch (const json::type_error&) {
    for (const char* name : {"command", "item", "error", "stdout", "stderr"}) {
      if (!object.contains(name) || is_utf8(object[name])) continue;
      object[std::string(name) + "_lossy"] = true;
    }
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

}  // namespace

std::string_view outcome_name(outcome how) {
  switch (how) {
    case outcome::succeeded:
      return "succeeded";
    case outcome::failed:
      return "failed";
    case outcome::timed_out:
      return "timed_out";
    case outcome::cancelled:
      return "cancelled";
    case outcome::not_started:
      return "not_started";
  }
  return "unknown";
}

std::string utc_time(std::chrono::system_clock::time_point t) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch());
  const auto whole = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ",
                static_cast<int>((since_epoch - whole).count()));
  return text;
}

std::string json_line(const job_result& r, std::string_view out, std::string_view err) {
  json object = describe(r);
  object["stdout"] = out;
  object["stderr"] = err;
  return to_line(std::move(object));
}

std::string status_json(const job_result& r) { return to_line(describe(r)); }

}  // namespace runnel_cli
