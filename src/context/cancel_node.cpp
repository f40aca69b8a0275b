#include "context/cancel_node.hpp"

#include <algorithm>
#include <runnel/go.hpp>
#include <utility>

namespace runnel::detail {

bool context_node::try_retain() noexcept {
  std::size_t shares = shares_.load(std::memory_order_relaxed);
  while (shares != 0) {
    if (shares_.compare_exchange_weak(shares, shares + 1)) return true;
  }
  return false;
}

bool context_node::release_unless_last() noexcept {
  std::size_t shares = shares_.load(std::memory_order_relaxed);
  while (shares > 1) {
    if (shares_.compare_exchange_weak(shares, shares - 1)) return true;
  }
  return false;
}

void context_node::release(context_node* node) noexcept {
  // Iterative, because chains may be as long as a program cares to build.
  while (node != nullptr) {
    // acq_rel: pairs with itself, so that the last owner sees all that others did before they let
    // go
    if (node->shares_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    context_node* const up = node->parent;
    delete node;
    node = up;
  }
}

bool is_done(const cancel_node* node) noexcept { return node->is_done(); }
wait_place& choose_place(cancel_node* node) noexcept { return node->places.choose(); }
void enter(cancel_node* node, wait_place& at, waiter& w) noexcept { node->places.enter(at, w); }

namespace {

// Both live for ever, so that goroutines may still ask while the process ends.
const error& canceled_error() {
  static const error& e = *new error(context_errc::canceled);
  return e;
}
const error& deadline_error() {
  static const error& e = *new error(context_errc::deadline_exceeded);
  return e;
}
const error& error_of(context_errc code) {
  return code == context_errc::canceled ? canceled_error() : deadline_error();
}

const chan<void>& closed_chan() {
  static const chan<void>& ch = *[] {
    auto* c = new chan<void>();
    c->close();
    return c;
  }();
  return ch;
}

std::int64_t deadline_of(const cancel_node* node) noexcept {
  return node != nullptr ? node->deadline : never;
}

}  // namespace

cancel_node::cancel_node(context_ref parent_ref, std::int64_t deadline_ns) noexcept
    : context_node(std::move(parent_ref), this, nullptr),
      up(parent != nullptr ? parent->canceler : nullptr),
      deadline(std::min(deadline_ns, deadline_of(up))) {}

bool cancel_node::link() {
  if (up == nullptr) return false;
  up->mu.lock();
  const bool open = !up->is_done();
  if (open) {
    linked_ = true;
    sibling_next_ = up->child_head_;
    if (sibling_next_ != nullptr) sibling_next_->sibling_prev_ = this;
    up->child_head_ = this;
  }
  up->mu.unlock();
  if (!open) cancel_tree(this, up->code_, up->cause_);
  return open;
}

void cancel_node::unlink(cancel_node* child) {
  mu.lock();
  if (child->linked_) {
    child->linked_ = false;
    if (child->sibling_prev_ != nullptr) {
      child->sibling_prev_->sibling_next_ = child->sibling_next_;
    } else {
      child_head_ = child->sibling_next_;
    }
    if (child->sibling_next_ != nullptr) {
      child->sibling_next_->sibling_prev_ = child->sibling_prev_;
    }
  }
  mu.unlock();
}

cancel_node* cancel_node::first_child() {
  mu.lock();
  cancel_node* const child = child_head_;
  if (child != nullptr) child->retain();  // it is linked, so it has an owner
  mu.unlock();
  return child;
}

// True: this call made the node done. False: it was; then an agent may rely on that it is
// completely done.
bool cancel_node::mark(caller who, context_errc code, const error& cause) {
  mu.lock();
  if (state_.load(std::memory_order_relaxed) != state::open) {
    mu.unlock();
    if (who == caller::agent) wait_closed();
    return false;
  }
  code_ = code;
  cause_ = cause;
  const bool has_chan = has_chan_.load(std::memory_order_relaxed);
  state_.store(has_chan ? state::closing : state::done);  // pairs with is_done()
  mu.unlock();
  waiter* woken = places.take_all();
  if (has_chan) {
    done_chan_.close();
    state_.store(state::done, std::memory_order_release);  // pairs with is_done()
  }
  while (woken != nullptr) {
    waiter* const w = std::exchange(woken, woken->next);
    w->ok = true;
    ready(w->who);
  }
  return true;
}

// Between closing and done the channel is closed, and err() must not be seen before that.
void cancel_node::wait_closed() const {
  if (state_.load(std::memory_order_acquire) == state::closing) (void)done_chan_.recv();
}

// Depth first without recursion: a node is left, and leaves its parent's list, when it has no
// children any more. Others may be cancelling parts of the same tree; each just goes on until the
// lists are empty.
void cancel_node::cancel_from(caller who, cancel_node* root, context_errc code,
                              const error& cause) {
  // acquire: pairs with the release below
  if (root->complete_.load(std::memory_order_acquire)) return;
  root->retain();  // the caller's own reference may go with whoever is told that it is done
  cancel_node* pending = nullptr;
  const auto marked = [&pending](cancel_node* n) {
    n->retain();
    n->next_pending_ = pending;
    pending = n;
  };
  if (root->mark(who, code, cause)) marked(root);
  for (cancel_node* n = root;;) {
    if (cancel_node* child = n->first_child()) {
      if (child->mark(who, n->code_, n->cause_)) marked(child);
      n = child;
      continue;
    }
    if (n->up != nullptr) n->up->unlink(n);
    n->complete_.store(true, std::memory_order_release);
    if (n == root) break;
    cancel_node* const up = n->up;
    context_node::release(n);  // taken by first_child()
    n = up;
  }
  while (pending != nullptr) {
    cancel_node* const n = std::exchange(pending, pending->next_pending_);
    n->finish(who);
    context_node::release(n);
  }
  context_node::release(root);
}

void cancel_node::cancel_tree(cancel_node* root, context_errc code, const error& cause) {
  cancel_from(caller::agent, root, code, cause);
}

void cancel_node::expire_tree(cancel_node* root, const error& cause) noexcept {
  cancel_from(caller::timer, root, context_errc::deadline_exceeded, cause);
}

// What follows once the whole tree is done: the user's code hears of it. Called by whoever marked
// the node.
void cancel_node::finish(caller who) {
  on_marked();
  mu.lock();
  std::stop_source stop = stop_;
  mu.unlock();
  if (stop.stop_possible()) {
    if (who == caller::agent) {
      stop.request_stop();
    } else {
      go([stop]() mutable { stop.request_stop(); });
    }
  }
  run_afters();
}

void cancel_node::run_afters() {
  for (;;) {
    mu.lock();
    after_entry* const entry = after_head_;
    std::shared_ptr<after_entry> owned;
    if (entry != nullptr) {
      after_head_ = entry->next;
      if (after_head_ != nullptr) after_head_->prev = nullptr;
      owned = std::move(entry->self);
    }
    mu.unlock();
    if (owned == nullptr) return;
    go([f = std::move(owned)] { f->run(); });
  }
}

void cancel_node::add_after(std::shared_ptr<after_entry> entry) {
  mu.lock();
  if (!is_done()) {
    after_entry* const e = entry.get();
    e->next = after_head_;
    if (after_head_ != nullptr) after_head_->prev = e;
    after_head_ = e;
    e->self = std::move(entry);
  }
  mu.unlock();
  if (entry != nullptr) go([f = std::move(entry)] { f->run(); });
}

bool cancel_node::stop_after(after_entry& e) {
  std::shared_ptr<after_entry> owned;
  mu.lock();
  if (e.self != nullptr) {
    owned = std::move(e.self);
    (e.prev != nullptr ? e.prev->next : after_head_) = e.next;
    if (e.next != nullptr) e.next->prev = e.prev;
  }
  mu.unlock();
  if (owned == nullptr) return false;
  owned->drop();
  return true;
}

error cancel_node::err() const {
  if (!is_done()) return {};
  wait_closed();
  return error_of(code_);
}

error cancel_node::cause() const {
  if (!is_done()) return {};
  wait_closed();
  return cause_ ? cause_ : error_of(code_);
}

recv_chan<void> cancel_node::done() {
  // acquire: pairs with the release below
  if (has_chan_.load(std::memory_order_acquire)) return done_chan_;
  if (is_done()) return closed_chan();
  chan<void> fresh;
  mu.lock();
  if (!has_chan_.load(std::memory_order_relaxed) && !is_done()) {
    done_chan_ = fresh;
    has_chan_.store(true, std::memory_order_release);
  }
  const bool has_chan = has_chan_.load(std::memory_order_relaxed);
  mu.unlock();
  return has_chan ? done_chan_ : closed_chan();
}

std::stop_token cancel_node::stop_token() {
  mu.lock();
  std::stop_source stop = stop_;
  mu.unlock();
  if (!stop.stop_possible()) {
    std::stop_source fresh;
    mu.lock();
    if (!stop_.stop_possible()) stop_ = fresh;
    stop = stop_;
    mu.unlock();
  }
  if (is_done()) stop.request_stop();
  return stop.get_token();
}

}  // namespace runnel::detail
