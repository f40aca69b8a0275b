#include "map/start_gate.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include "map/pause.hpp"

namespace runnel_cli {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// Files of /proc are made when they are read: this does not wait for any device.
std::string contents(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

double load_in(const std::string& text) {
  double average = 0;
  double skipped = 0;
  int runnable = 0;
  int tasks = 0;
  if (std::sscanf(text.c_str(), "%lf %lf %lf %d/%d", &average, &skipped, &skipped, &runnable,
                  &tasks) != 5) {
    return unknown;
  }
  return std::max(average, double{1} * runnable - 1);
}

double free_memory_in(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    unsigned long long kibibytes = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %llu kB", &kibibytes) == 1) {
      return static_cast<double>(kibibytes) * 1024;
    }
  }
  return unknown;
}

start_gate::start_gate(gate_options options, gate_senses senses)
    : options_(options), senses_(std::move(senses)) {
  if (!senses_.load) senses_.load = [] { return load_in(contents("/proc/loadavg")); };
  if (!senses_.free_memory) {
    senses_.free_memory = [] { return free_memory_in(contents("/proc/meminfo")); };
  }
  if (options_.rate > 0) limit_.emplace(options_.rate, 1);
}

runnel::error start_gate::wait(const runnel::context& ctx) {
  if (options_.rate <= 0 && options_.max_load <= 0 && options_.min_free == 0) return ctx.err();
  if (runnel::error e = turn_.lock(ctx)) return e;
  const std::lock_guard turn(turn_, std::adopt_lock);
  if (limit_) {
    if (runnel::error e = limit_->wait(ctx)) return e;
  }
  // Last, so that the look at the machine is fresh when the job starts.
  bool held_back = false;
  if (runnel::error e = wait_for_room(ctx, held_back)) return e;
  if (held_back && limit_) {
    // The bucket has filled meanwhile. Emptied, it spaces the next start from this one.
    limit_.emplace(options_.rate, 1);
    limit_->allow();
  }
  return {};
}

runnel::error start_gate::has_room(bool& room) const {
  room = true;
  if (options_.max_load > 0) {
    const double load = senses_.load();
    if (std::isnan(load)) return "cannot tell the load: /proc/loadavg cannot be read";
    room = load <= options_.max_load;
  }
  if (room && options_.min_free > 0) {
    const double bytes = senses_.free_memory();
    if (std::isnan(bytes)) return "cannot tell the free memory: /proc/meminfo cannot be read";
    room = bytes >= static_cast<double>(options_.min_free);
  }
  return {};
}

runnel::error start_gate::wait_for_room(const runnel::context& ctx, bool& held_back) const {
  for (;;) {
    if (runnel::error e = ctx.err()) return e;
    bool room = false;
    if (runnel::error e = has_room(room)) return e;
    if (room) return {};
    held_back = true;
    sleep_unless(ctx, senses_.period);
  }
}

}  // namespace runnel_cli
