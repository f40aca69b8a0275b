// The code of docs/guide.md, "Cancellation" and "Groups".
#include <chrono>
#include <cstdio>
#include <runnel/runnel.hpp>
#include <system_error>

using namespace std::chrono_literals;

namespace {

// [respect]
// Answers after `delay`, or says why not once `ctx` is done.
runnel::error slow_call(const runnel::context& ctx, std::chrono::milliseconds delay) {
  runnel::error failure;
  runnel::select(runnel::on_timeout(delay), runnel::on_done(ctx, [&] { failure = ctx.err(); }));
  return failure;
}
// [/respect]

void timeout() {
  // [timeout]
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 20ms);
  if (const runnel::error e = slow_call(ctx, 1h)) {
    std::printf("%s\n", e.message().c_str());  // context deadline exceeded
  }
  // [/timeout]
}

// [group]
// Calls three services at once. The first failure cancels the others, and is what comes back; no
// goroutine outlives the group.
runnel::error call_all(const runnel::context& parent) {
  runnel::group calls(parent);
  calls.go([](const runnel::context& ctx) { return slow_call(ctx, 1h); });
  calls.go([](const runnel::context& ctx) { return slow_call(ctx, 1h); });
  calls.go([] { return runnel::error("the third service is down"); });
  return calls.wait();
}
// [/group]

void errors() {
  // [errors]
  const runnel::error cause = std::make_error_code(std::errc::no_space_on_device);
  const runnel::error e = runnel::wrap("cannot save report", cause);
  std::printf("%s\n", e.message().c_str());
  if (e.is(std::errc::no_space_on_device)) std::printf("make some room\n");
  // [/errors]
}

}  // namespace

int main() {
  runnel::run([] {
    timeout();
    std::printf("%s\n", call_all(runnel::background()).message().c_str());
    errors();
  });
}
