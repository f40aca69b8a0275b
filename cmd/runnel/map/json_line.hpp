// --json: what came of a job as JSON.
//
// The members: job, worker, outcome, exit_code (null if a signal ended it), signal (null if none
// did), attempts, command, item, start (ISO 8601, UTC; null if it was never started),
// runtime_seconds, user_seconds, system_seconds, and error if it could not be started. Times are of
// the last attempt. json_line() adds stdout and stderr.
//
// JSON is UTF-8. Where a text is not, its wrong bytes become U+FFFD and the member NAME_lossy
// (stdout_lossy, stderr_lossy, command_lossy, item_lossy, error_lossy) is there and true.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "map/job.hpp"

namespace runnel_cli {

/// The word for it: succeeded, failed, timed_out, cancelled or not_started.
std::string_view outcome_name(outcome how);

/// For JSON.
inline double seconds(std::chrono::nanoseconds d) {
  return std::chrono::duration<double>(d).count();
}

/// As 2024-02-29T23:59:59.123Z; parts of a millisecond are dropped.
std::string utc_time(std::chrono::system_clock::time_point t);

/// The result of a job and its output, as one JSON object without line breaks.
std::string json_line(const job_result& r, std::string_view out, std::string_view err);

/// The result of a job without its output, as json_line().
std::string status_json(const job_result& r);

}  // namespace runnel_cli
