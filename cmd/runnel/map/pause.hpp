// Waiting for a time that a context may cut short.
#pragma once
#include <chrono>

#include <runnel/context.hpp>
#include <runnel/select.hpp>

namespace runnel_cli {

/// Blocks the goroutine for `time`; false: `ctx` was done before.
inline bool sleep_unless(const runnel::context& ctx, std::chrono::nanoseconds time) {
  return runnel::select(runnel::on_done(ctx), runnel::on_timeout(time)) != 0;
}

}  // namespace runnel_cli
