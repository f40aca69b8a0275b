#include <algorithm>
#include <runnel/context.hpp>
#include <runnel/detail/timer_object.hpp>
#include <runnel/go.hpp>
#include <string>

#include "context/cancel_node.hpp"
#include "sched/start.hpp"

namespace runnel {

namespace {

class context_category_type final : public std::error_category {
 public:
  const char* name() const noexcept override { return "context"; }
  std::string message(int value) const override {
    switch (static_cast<context_errc>(value)) {
      case context_errc::canceled:
        return "context canceled";
      case context_errc::deadline_exceeded:
        return "context deadline exceeded";
    }
    return "unknown context error";
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<context_errc>(value)) {
      case context_errc::canceled:
        return std::errc::operation_canceled;
      case context_errc::deadline_exceeded:
        return std::errc::timed_out;
    }
    return {value, *this};
  }
};

}  // namespace

const std::error_category& context_category() noexcept {
  static const auto& category = *new context_category_type;  // outlives every static error
  return category;
}

namespace detail {

namespace {

class deadline_node;

// Ends a deadline_node. Holds a share of it until it has fired or been disarmed and dropped.
class expiry_timer final : public timer_object {
 public:
  explicit expiry_timer(context_ref node) noexcept : node_(std::move(node)) {}
  void fire() noexcept override;

 private:
  const context_ref node_;
};

// A context with a deadline of its own. The timer is disarmed when the context is done, by
// whichever of attach() and on_marked() comes second; that also breaks the ring of references
// between the two.
class deadline_node final : public cancel_node {
 public:
  deadline_node(context_ref parent_ref, std::int64_t when, error cause)
      : cancel_node(std::move(parent_ref), when), expiry_cause(std::move(cause)) {}

  void attach() {
    ensure_started();  // plain threads arm in the heap of the runtime's first processor
    timer_ = new expiry_timer(share());
    arm(*timer_, deadline);
    if (phase_.exchange(phase::attached) == phase::detached) drop_timer();
  }

  const error expiry_cause;

 protected:
  void on_marked() noexcept override {
    if (phase_.exchange(phase::detached) == phase::attached) drop_timer();
  }

 private:
  enum class phase : std::uint8_t { attaching, attached, detached };

  void drop_timer() noexcept {
    disarm(*timer_);
    timer_->release();
  }

  std::atomic<phase> phase_{phase::attaching};
  expiry_timer* timer_ = nullptr;
};

void expiry_timer::fire() noexcept {
  auto* node = static_cast<deadline_node*>(node_.get());
  cancel_node::expire_tree(node, node->expiry_cause);
}

struct uncancelled_node final : context_node {
  explicit uncancelled_node(context_ref parent_ref) noexcept
      : context_node(std::move(parent_ref), nullptr, nullptr) {}
};

// A context that also ends with a stop token.
//
// The callback leaves the token's state when the context is done: by itself if it runs, else by
// whichever of attach() and on_marked() comes second. It must not be destroyed from within its own
// run: the standard library recognises that by the thread, and the goroutine that runs it may have
// moved to another one.
class stop_node final : public cancel_node {
 public:
  explicit stop_node(context_ref parent_ref) noexcept : cancel_node(std::move(parent_ref), never) {}

  void attach(std::stop_token token) {
    callback_.emplace(std::move(token), canceller{this});
    if (phase_.exchange(phase::attached) == phase::detached) callback_.reset();
  }

 protected:
  void on_marked() noexcept override {
    if (phase_.exchange(phase::detached) == phase::attached && !begun_) callback_.reset();
  }

 private:
  enum class phase : std::uint8_t { attaching, attached, detached };

  // Runs in whoever asks the token's source to stop. The memory stays meanwhile, because the
  // callback's destructor waits for it in any other thread; the share keeps it from being destroyed
  // in this one.
  struct canceller {
    stop_node* node;
    void operator()() const {
      if (!node->try_retain()) return;
      node->begun_ = true;
      cancel_tree(node, context_errc::canceled, {});
      if (!node->release_unless_last()) go([last = context_ref(node)] {});
    }
  };

  std::atomic<phase> phase_{phase::attaching};
  std::atomic<bool> begun_{false};
  std::optional<std::stop_callback<canceller>> callback_;
};

}  // namespace

cancelable_context context_access::make_cancelable(const context& parent) {
  auto* node = new cancel_node(ref(parent), never);
  cancelable_context made{context(context_ref(node)), cancel_function()};
  made.cancel.node_ = made.ctx.node_;
  node->link();
  return made;
}

cancelable_context context_access::make_deadline(const context& parent, std::int64_t deadline_ns,
                                                 error cause) {
  const cancel_node* up = canceler(parent);
  const bool past = has_come(deadline_ns);
  // The parent's deadline comes first, so no timer of its own is needed. One that is past is not
  // left to the parent, whose timer may be late.
  if (!past && (deadline_ns == never || (up != nullptr && up->deadline <= deadline_ns))) {
    return make_cancelable(parent);
  }
  auto* node = new deadline_node(ref(parent), deadline_ns, std::move(cause));
  cancelable_context made{context(context_ref(node)), cancel_function()};
  made.cancel.node_ = made.ctx.node_;
  node->link();
  if (node->is_done()) return made;
  if (past) {
    cancel_node::cancel_tree(node, context_errc::deadline_exceeded, node->expiry_cause);
  } else {
    node->attach();
  }
  return made;
}

cancelable_context context_access::make_stop(const context& parent, std::stop_token token) {
  if (!token.stop_possible()) return make_cancelable(parent);
  auto* node = new stop_node(ref(parent));
  cancelable_context made{context(context_ref(node)), cancel_function()};
  made.cancel.node_ = made.ctx.node_;
  node->link();
  if (!node->is_done()) node->attach(std::move(token));
  return made;
}

stop_function context_access::after(const context& ctx, std::shared_ptr<after_entry> entry) {
  if (cancel_node* node = ctx.node_.canceler()) node->add_after(entry);
  return stop_function(ctx.node_, std::move(entry));
}

context context_access::uncancelled(const context& parent) {
  return context(context_ref(new uncancelled_node(ref(parent))));
}

}  // namespace detail

void cancel_function::cancel(error cause) const {
  if (detail::cancel_node* node = node_.canceler()) {
    detail::cancel_node::cancel_tree(node, context_errc::canceled, cause);
  }
}

bool stop_function::operator()() const {
  if (entry_ == nullptr) return false;
  if (detail::cancel_node* node = node_.canceler()) return node->stop_after(*entry_);
  if (entry_->settled.exchange(true)) return false;
  entry_->drop();
  return true;
}

recv_chan<void> context::done() const {
  if (detail::cancel_node* node = node_.canceler()) return node->done();
  return nullptr;
}

error context::err() const {
  const detail::cancel_node* node = node_.canceler();
  return node != nullptr ? node->err() : error();
}

error context::cause() const {
  const detail::cancel_node* node = node_.canceler();
  return node != nullptr ? node->cause() : error();
}

std::optional<clock::time_point> context::deadline() const noexcept {
  const detail::cancel_node* node = node_.canceler();
  if (node == nullptr || node->deadline == detail::never) return std::nullopt;
  return clock::time_point(std::chrono::nanoseconds(node->deadline));
}

std::stop_token context::stop_token() const {
  if (detail::cancel_node* node = node_.canceler()) return node->stop_token();
  return {};
}

}  // namespace runnel
