// The waits of the synchronisation primitives that end with a context: each a select between the two.
//
// A context that is done from the start wins; of both at once, later, the primitive does.
#include <stdexcept>
#include <string>

#include <runnel/condition_variable.hpp>
#include <runnel/context.hpp>
#include <runnel/mutex.hpp>
#include <runnel/rate_limiter.hpp>
#include <runnel/select.hpp>
#include <runnel/semaphore.hpp>
#include <runnel/shared_mutex.hpp>
#include <runnel/wait_group.hpp>

namespace runnel {
namespace {

// No error: `wanted` went ahead.
template <class Case>
error wait_in(const context& ctx, Case wanted) {
  if (select_ordered(std::move(wanted), on_done(ctx)) == 0) return {};
  return ctx.err();
}

error burst_exceeded(int n, int burst) {
  return wrap("rate_limiter: waiting for " + std::to_string(n) + " with a burst of " +
                  std::to_string(burst),
              std::make_error_code(std::errc::invalid_argument));
}

}  // namespace

error mutex::lock(const context& ctx) {
  if (error done = ctx.err()) return done;
  return try_lock() ? error() : wait_in(ctx, on_lock(*this));
}

error shared_mutex::lock(const context& ctx) {
  if (error done = ctx.err()) return done;
  return try_lock() ? error() : wait_in(ctx, on_lock(*this));
}

error shared_mutex::lock_shared(const context& ctx) {
  if (error done = ctx.err()) return done;
  return try_lock_shared() ? error() : wait_in(ctx, on_lock_shared(*this));
}

// More than there are in all never comes, and must not hold up those behind it.
error semaphore::acquire(const context& ctx, std::int64_t n) {
  if (n < 0) throw_negative();
  if (error done = ctx.err()) return done;
  if (n <= size_) return try_acquire(n) ? error() : wait_in(ctx, on_acquire(*this, n));
  select(on_done(ctx));
  return ctx.err();
}

bool wait_group::wait(const context& ctx) {
  if (ctx.err()) return false;
  return count_.is_zero() || !wait_in(ctx, on_wait(*this));
}

error rate_limiter::wait(const context& ctx, int n) {
  if (error done = ctx.err()) return done;
  const auto deadline = ctx.deadline();
  reservation mine = take(n, deadline ? (*deadline - clock::now()).count() : detail::never - 1);
  if (!mine.ok()) {
    if (n > burst_) return burst_exceeded(n, burst_);
    return wrap("rate_limiter: waiting would outlast the context",
                make_error_code(context_errc::deadline_exceeded));
  }
  if (mine.time() <= clock::now()) return {};
  error gave_up = wait_in(ctx, on_deadline(mine.time()));
  if (gave_up) mine.cancel();
  return gave_up;
}

std::stop_token detail::stop_token_of(const context& ctx) { return ctx.stop_token(); }

}  // namespace runnel
