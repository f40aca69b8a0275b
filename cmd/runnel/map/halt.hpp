// --halt: when a run is to stop before its input has come to its end.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <runnel/mutex.hpp>

#include "map/job.hpp"

namespace runnel_cli {

enum class halt_when : std::uint8_t {
  never,  // go on
  soon,   // start nothing more, let what runs end
  now     // start nothing more, cancel what runs
};

/// Counts results and says when it is enough. For one goroutine at a time; nothing blocks.
///
/// A condition, once met, stays met: nothing is counted after it. Cancelled jobs are never counted; a
/// job that timed out or was not started has failed.
class halt_policy {
 public:
  /// Never stops.
  halt_policy() = default;

  /// `never`, or `soon` or `now` with one condition: `fail=`, `success=` or `done=`, then a number or
  /// a percentage; none: fail=1. Also GNU parallel's old 0, 1, 2, -1, -2 and N%. Throws usage_error.
  ///
  /// fail=P% and success=P% are shares of the jobs that have ended so far, looked at once at least 3
  /// of the kind have (as GNU parallel: one early failure is no trend). done=P% is a share of all
  /// jobs, so it cannot be met before set_total().
  static halt_policy parse(const std::string& text);

  /// How many jobs there are in all, once that is known. It counts from the next result on.
  void set_total(std::uint64_t jobs) { total_ = jobs; }

  /// To be called once for each job's last result. Says what to do from now on.
  halt_when after(const job_result& result);

  /// Whether the condition has been met.
  bool reached() const { return reached_; }

  /// Whether what was met is success=: the run has then succeeded, whatever failed before.
  bool success_reached() const { return reached_ && what_ == counted::success; }

  /// Why it stops, for people: "3 jobs failed (--halt soon,fail=3)". Empty unless reached().
  std::string why() const;

 private:
  enum class counted : std::uint8_t { fail, success, done };

  void set_condition(const std::string& text, const std::string& condition);
  std::uint64_t count() const;
  bool met() const;

  std::string text_;  // as it was given
  halt_when when_ = halt_when::never;
  counted what_ = counted::fail;
  bool percent_ = false;
  std::uint64_t limit_ = 1;
  std::optional<std::uint64_t> total_;
  std::uint64_t failed_ = 0;
  std::uint64_t succeeded_ = 0;
  bool reached_ = false;
};

/// The policy as the workers share it. Each asks it before it takes another job: the collector, who may be busy writing,
/// would be too late.
class halter {
 public:
  /// `stop` is called once, with `soon` or `now`, by whoever brings the end about, and may be called by any worker.
  halter(halt_policy policy, std::function<void(halt_when)> stop)
      : policy_(std::move(policy)), stop_(std::move(stop)) {}

  void set_total(std::uint64_t jobs);

  /// To be called once for each job's last result. Why the run is stopped, if that is by this job; else empty.
  std::string job_ended(const job_result& result);

  bool success_reached() const;

 private:
  mutable runnel::mutex mu_;
  halt_policy policy_;
  const std::function<void(halt_when)> stop_;
};

}  // namespace runnel_cli
