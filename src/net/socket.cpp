#include "net/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <runnel/select.hpp>

namespace runnel::detail {
namespace {

// Ready when a call has reason to look again.
class socket_case final : public descriptor_case {
 public:
  socket_case(own_descriptor& io, poll_direction direction,
              const std::atomic<std::int64_t>& deadline)
      : descriptor_case(io.fd(), direction),
        shared_(io.shared()),
        direction_(direction),
        deadline_(deadline),
        until_(deadline.load()) {}

  bool try_now(agent*&) noexcept override {
    return !shared_.ours || edge_word::may_be_ready(shared_.edge(direction_).look()) ||
           deadline_.load() != until_;
  }
  bool miss_hint() noexcept override { return false; }
  std::int64_t until() const noexcept { return until_; }

 private:
  descriptor& shared_;
  poll_direction direction_;
  const std::atomic<std::int64_t>& deadline_;
  std::int64_t until_;
};

}  // namespace

socket::socket(file_descriptor&& fd, file_kind kind) : kind_(kind), io_(fd.get()) { fd.release(); }

bool socket::enter() noexcept {
  std::uint32_t now = uses_.load();
  do {
    if ((now & closed_bit) != 0) return false;
  } while (!uses_.compare_exchange_weak(now, now + one_use));
  return true;
}

// Once it is closed nobody enters any more, so one leaves last. Unless the owner has gone before, he may delete this now.
void socket::leave() noexcept {
  const int number = fd();
  const std::uint32_t left = uses_.fetch_sub(one_use) - one_use;
  if (left != closed_bit && left != (closed_bit | dropped_bit)) return;
  ::close(number);
  if (left != closed_bit) delete this;
}

// A use of its own, so that the number stays ours until it is given up.
void socket::close() noexcept {
  std::uint32_t now = uses_.load();
  do {
    if ((now & closed_bit) != 0) return;
  } while (!uses_.compare_exchange_weak(now, (now | closed_bit) + one_use));
  io_.give_up();
  leave();
}

void socket::drop() noexcept {
  close();
  if (uses_.fetch_or(dropped_bit) == closed_bit) delete this;
}

void socket::set_deadline(poll_direction direction, std::int64_t deadline) noexcept {
  if (!enter()) return;
  deadlines_[static_cast<int>(direction)].store(deadline);
  io_.wake(direction);
  leave();
}

std::error_code socket::reason_to_stop(poll_direction direction, const context* ctx) const {
  if (is_closed()) return make_error_code(std::errc::bad_file_descriptor);
  const std::int64_t deadline = deadlines_[static_cast<int>(direction)].load();
  if (deadline != never && has_come(deadline)) return make_error_code(std::errc::timed_out);
  if (ctx != nullptr && context_access::done(*ctx)) return failure_of(*ctx);
  return {};
}

int socket::wait(poll_direction direction, const context* ctx) {
  const std::atomic<std::int64_t>& deadline = deadlines_[static_cast<int>(direction)];
  cancel_node* const node = ctx != nullptr ? context_access::canceler(*ctx) : nullptr;
  if (node == nullptr) return io_.wait(direction, deadline);
  socket_case ready(io_, direction, deadline);
  done_case done(node);
  timeout_case<no_handler> timeout(ready.until(), false, {});
  const guarded_case cases[] = {ready, done, timeout};
  const bool told = select_cases(cases, no_case, select_order::in_order) == 0;
  return told ? ready.failure_number() : 0;
}

std::error_code failure_of(const context& ctx) {
  const bool late = ctx.err().is(context_errc::deadline_exceeded);
  return make_error_code(late ? context_errc::deadline_exceeded : context_errc::canceled);
}

void throw_failure(const std::error_code& failure, const char* what) {
  throw std::system_error(failure, what);
}

int socket_owner::native_handle() const noexcept {
  return socket_ != nullptr && !socket_->is_closed() ? socket_->fd() : -1;
}

void socket_owner::close() noexcept {
  if (socket_ != nullptr) socket_->close();
}

void socket_owner::drop() noexcept {
  if (socket_ != nullptr) std::exchange(socket_, nullptr)->drop();
}

void socket_owner::set_deadline_ns(poll_direction direction, std::int64_t deadline) noexcept {
  if (socket_ != nullptr) socket_->set_deadline(direction, deadline);
}

}  // namespace runnel::detail
