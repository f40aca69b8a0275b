// Waiting for a descriptor or the end of a context.
#include <runnel/context.hpp>
#include <runnel/poll.hpp>
#include <system_error>

namespace runnel {
namespace {

struct descriptor_wait final : detail::descriptor_case {
  using descriptor_case::descriptor_case;
};

error wait_in(const context& ctx, int fd, detail::poll_direction direction) try {
  detail::cancel_node* const node = detail::context_access::canceler(ctx);
  if (node == nullptr) return detail::wait_descriptor(fd, direction, detail::never);
  if (detail::is_done(node)) return ctx.err();
  descriptor_wait waiting(fd, direction);
  detail::done_case done(node);
  const detail::guarded_case cases[] = {waiting, done};
  if (detail::select_cases(cases, detail::no_case, detail::select_order::in_order) == 1)
    return ctx.err();
  return waiting.failure();
} catch (const std::system_error& e) {  // the poller cannot be opened
  return e.code();
}

}  // namespace

error wait_readable(const context& ctx, int fd) {
  return wait_in(ctx, fd, detail::poll_direction::read);
}

error wait_writable(const context& ctx, int fd) {
  return wait_in(ctx, fd, detail::poll_direction::write);
}

}  // namespace runnel
