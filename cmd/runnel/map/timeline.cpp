#include "map/timeline.hpp"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <runnel/go.hpp>

#include <nlohmann/json.hpp>

#include "files.hpp"
#include "map/json_line.hpp"
#include "map/timeline_page.hpp"

namespace runnel_cli {
namespace {

using json = nlohmann::ordered_json;
using std::chrono::nanoseconds;

constexpr std::size_t longest_text = 240;  // bytes of a command that the page can show

std::int64_t microseconds(nanoseconds d) {
  return std::chrono::floor<std::chrono::microseconds>(d).count();
}

// The beginning, with an ellipsis if something is missing; not cut within a character.
std::string shortened(const std::string& text) {
  if (text.size() <= longest_text) return text;
  std::size_t end = longest_text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "\u2026";
}

// As the content of a script element: nothing in it can end the element or start a comment, as
// there is no '<' (which occurs in JSON only within strings).
std::string script_safe(const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

json latency_summary(const latency_histogram& latency) {
  json buckets = json::array();
  for (const latency_histogram::bucket& b : latency.buckets()) {
    buckets.push_back({seconds(b.low), b.high ? json(seconds(*b.high)) : json(), b.count});
  }
  return {{"count", latency.count()},
          {"p50", seconds(latency.percentile(50))},
          {"p90", seconds(latency.percentile(90))},
          {"p99", seconds(latency.percentile(99))},
          {"max", seconds(latency.max())},
          {"buckets", std::move(buckets)}};
}

// Gathers small pieces, so that not each of them is a system call.
class gathering_writer {
 public:
  explicit gathering_writer(replaced_file& file) : file_(file) {}

  // False: it has failed.
  bool write(std::string_view text) {
    gathered_ += text;
    return gathered_.size() < enough || flush();
  }
  bool flush() {
    if (!failure_) failure_ = file_.write(gathered_);
    gathered_.clear();
    return !failure_;
  }
  const runnel::error& failure() const { return failure_; }

 private:
  static constexpr std::size_t enough = 64 * 1024;

  replaced_file& file_;
  std::string gathered_;
  runnel::error failure_;
};

}  // namespace

void timeline::add(const job_result& r, nanoseconds start) {
  start = std::max(start, nanoseconds::zero());
  const nanoseconds runtime = std::max(r.runtime, nanoseconds::zero());
  ++outcomes_[static_cast<std::size_t>(r.how)];
  highest_worker_ = std::max(highest_worker_, r.worker);
  if (r.attempts > 1) earlier_attempts_ += static_cast<std::uint64_t>(r.attempts - 1);
  if (r.how != outcome::not_started) {
    latency_.add(runtime);
    busy_ += runtime;
    if (!began_) {
      began_ = r.start - std::chrono::duration_cast<std::chrono::system_clock::duration>(start);
    }
  }
  if (bars_.size() == most_) return;
  bars_.push_back({.number = r.number,
                   .start_us = microseconds(start),
                   .runtime_us = microseconds(runtime),
                   .worker = r.worker,
                   .exit_code = r.exit_code,
                   .signal = r.signal,
                   .attempts = r.attempts,
                   .how = r.how,
                   .command = shortened(r.command),
                   .failure = shortened(r.failure)});
}

runnel::error timeline::write(const std::string& path, nanoseconds elapsed, int workers,
                              std::string_view title) const {
  runnel::error failure = runnel::blocking([&]() -> runnel::error {
    // A symbolic link stays one: the file it leads to is replaced.
    std::error_code unresolved;
    const std::filesystem::path target = std::filesystem::canonical(path, unresolved);
    replaced_file file;
    if (runnel::error e = file.open(AT_FDCWD, unresolved ? path : target.string())) return e;
    gathering_writer writer(file);
    render(elapsed, workers, title, [&](std::string_view text) { return writer.write(text); });
    writer.flush();
    return writer.failure() ? writer.failure() : file.commit();
  });
  return runnel::wrap("timeline '" + path + "'", std::move(failure));
}

// All members of the page's data but the last one, "jobs"; without the closing brace.
std::string timeline::summary(nanoseconds elapsed, int workers, std::string_view title) const {
  const int lanes = std::max({workers, highest_worker_, 1});
  const double capacity = seconds(elapsed) * lanes;
  std::uint64_t total = 0;
  json outcomes = json::object();
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    outcomes[std::string(outcome_name(static_cast<outcome>(i)))] = outcomes_[i];
    total += outcomes_[i];
  }
  const json object = {{"title", title},
                       {"began", began_ ? json(utc_time(*began_)) : json()},
                       {"elapsed", seconds(elapsed)},
                       {"workers", lanes},
                       {"busy", seconds(busy_)},
                       {"utilisation", capacity > 0 ? json(seconds(busy_) / capacity) : json()},
                       {"total", total},
                       {"outcomes", std::move(outcomes)},
                       {"earlier_attempts", earlier_attempts_},
                       {"not_drawn", total - bars_.size()},
                       {"latency", latency_summary(latency_)}};
  std::string text = script_safe(object);
  text.pop_back();
  return text;
}

// A job is [number, worker, start and runtime in microseconds, index of the outcome, exit status,
// signal, attempts, command, reason if it was not started].
void timeline::render(nanoseconds elapsed, int workers, std::string_view title,
                      const sink& out) const {
  if (!out(timeline_page_before_data)) return;
  if (!out(summary(elapsed, workers, title) + ",\n\"jobs\":[")) return;
  for (std::size_t i = 0; i < bars_.size(); ++i) {
    const bar& b = bars_[i];
    json row = {b.number,    b.worker, b.start_us, b.runtime_us, static_cast<int>(b.how),
                b.exit_code, b.signal, b.attempts, b.command};
    if (!b.failure.empty()) row.push_back(b.failure);
    if (!out((i == 0 ? "\n" : ",\n") + script_safe(row))) return;
  }
  if (!out("\n]}")) return;
  out(timeline_page_after_data);
}

}  // namespace runnel_cli
