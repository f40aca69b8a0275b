// The nodes behind `error`. Invariants: a node is immutable once an `error` names it; a wrapped
// node has exactly one child, a joined one at least two, none of them null; the graph has no cycles
// because children exist first.
#include <cxxabi.h>

#include <atomic>
#include <cstdlib>
#include <ostream>
#include <runnel/error.hpp>
#include <span>
#include <stdexcept>
#include <typeinfo>
#include <vector>

namespace runnel {

namespace detail {

enum class error_kind : unsigned char { code, exception, text, wrapped, joined };

struct error_node {
  explicit error_node(error_kind k) noexcept : kind(k) {}

  std::atomic<std::size_t> shares{1};
  const error_kind kind;
  std::error_code code{};               // code; and the code of an exception that carries one
  std::exception_ptr exception{};       // exception
  std::string text{};                   // text; the context of wrapped; the message of exception
  std::vector<error_node*> children{};  // wrapped, joined: owned shares
  error_node* next_dead = nullptr;      // release_error's work list
};

void retain_error(error_node* node) noexcept {
  // relaxed: the caller owns a share, so the count cannot reach zero meanwhile
  node->shares.fetch_add(1, std::memory_order_relaxed);
}

// Iterative, because chains may be as long as a program cares to wrap.
void release_error(error_node* node) noexcept {
  error_node* dead = nullptr;
  const auto drop = [&dead](error_node* n) {
    // acq_rel: pairs with itself, so that the last one sees all that other owners did before they
    // let go
    if (n->shares.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      n->next_dead = dead;
      dead = n;
    }
  };
  drop(node);
  while (dead != nullptr) {
    error_node* n = dead;
    dead = n->next_dead;
    for (error_node* child : n->children) drop(child);
    delete n;
  }
}

}  // namespace detail

namespace {

using detail::error_kind;
using detail::error_node;

// Depth first, in order, without recursion: who adds one error after another to a join nests as deep as there are
// errors, and the stack is a goroutine's.
class walk {
 public:
  explicit walk(const error_node* root) : at_(root) {}

  /// Null: the end.
  const error_node* at() const noexcept { return at_; }
  /// True: went down, to a cause or the first of several; false: to a sibling of something above.
  bool advance() {
    if (const auto& children = at_->children; !children.empty()) {
      if (children.size() > 1) rest_.push_back(std::span(children).subspan(1));
      at_ = children.front();
      return true;
    }
    if (rest_.empty()) {
      at_ = nullptr;
      return false;
    }
    auto& siblings = rest_.back();
    at_ = siblings.front();
    siblings = siblings.subspan(1);
    if (siblings.empty()) rest_.pop_back();
    return false;
  }

 private:
  const error_node* at_;
  std::vector<std::span<error_node* const>> rest_;  // siblings still to come, by level
};

// The first node that `pred` accepts, or nullptr.
template <class P>
const error_node* find(const error_node* root, const P& pred) {
  if (root == nullptr) return nullptr;
  for (walk w(root); w.at() != nullptr; w.advance())
    if (pred(*w.at())) return w.at();
  return nullptr;
}

void append_message(const error_node* root, std::string& out) {
  walk w(root);
  while (const error_node* n = w.at()) {
    if (n->kind == error_kind::wrapped)
      out.append(n->text).append(": ");
    else if (n->kind == error_kind::code)
      out += n->code.message();
    else if (n->kind != error_kind::joined)
      out += n->text;
    if (!w.advance() && w.at() != nullptr) out += '\n';
  }
}

std::string name_of_current_exception() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown exception";
  int status = 0;
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::string text = "exception of type " + std::string(status == 0 ? name : type->name());
  std::free(name);
  return text;
}

// Reads what `e` says and, where it has one, its code; an exception that is an `error` is returned
// as that.
error inspect_exception(const std::exception_ptr& e, error_node& n) {
  try {
    std::rethrow_exception(e);
  } catch (const error& inner) {
    return inner;
  } catch (const std::system_error& x) {
    n.code = x.code();
    n.text = x.what();
  } catch (const std::exception& x) {
    n.text = x.what();
  } catch (const std::string& text) {
    n.text = text;
  } catch (const char* text) {
    n.text = text != nullptr ? text : "";
  } catch (...) {
    n.text = name_of_current_exception();
  }
  return {};
}

error_node* new_text_node(std::string text) {
  auto n = std::make_unique<error_node>(error_kind::text);
  n->text = std::move(text);
  return n.release();
}

}  // namespace

error::error(std::error_code code) {
  if (!code) return;
  node_ = new error_node(error_kind::code);
  node_->code = code;
}

error::error(std::exception_ptr e) {
  if (e == nullptr) return;
  auto n = std::make_unique<error_node>(error_kind::exception);
  error inner = inspect_exception(e, *n);
  if (inner) {
    std::swap(node_, inner.node_);
    return;
  }
  n->exception = std::move(e);
  node_ = n.release();
}

error::error(std::string text) : node_(new_text_node(std::move(text))) {}
error::error(std::string_view text) : node_(new_text_node(std::string(text))) {}
error::error(const char* text) : node_(text != nullptr ? new_text_node(text) : nullptr) {}

error error::current() { return error(std::current_exception()); }

std::string error::message() const {
  std::string out;
  if (node_ != nullptr) append_message(node_, out);
  return out;
}

bool error::is(std::error_code code) const noexcept {
  return code && find(node_, [&](const error_node& n) { return n.code == code; }) != nullptr;
}

bool error::is(std::error_condition condition) const noexcept {
  return condition &&
         find(node_, [&](const error_node& n) { return n.code && n.code == condition; }) != nullptr;
}

bool error::is_object(const error& target) const noexcept {
  return target.node_ != nullptr &&
         find(node_, [&](const error_node& n) { return &n == target.node_; }) != nullptr;
}

void error::visit_exceptions(bool (*match)(void*, const std::exception_ptr&), void* arg) const {
  find(node_, [&](const error_node& n) {
    return n.kind == error_kind::exception && match(arg, n.exception);
  });
}

error error::unwrap() const noexcept {
  if (node_ == nullptr || node_->kind != error_kind::wrapped) return {};
  error_node* cause = node_->children.front();
  detail::retain_error(cause);
  return error(cause);
}

void error::rethrow() const {
  if (node_ == nullptr) return;
  const auto* thrown =
      find(node_, [](const error_node& n) { return n.kind == error_kind::exception; });
  if (thrown != nullptr) std::rethrow_exception(thrown->exception);
  const auto* coded = find(node_, [](const error_node& n) { return static_cast<bool>(n.code); });
  if (coded == node_) throw std::system_error(coded->code);
  if (coded != nullptr) throw std::system_error(coded->code, message());
  throw std::runtime_error(message());
}

std::ostream& error::print(std::ostream& out) const {
  return out << (node_ != nullptr ? message() : std::string("no error"));
}

error wrap(std::string context, error cause) {
  if (!cause) return {};
  auto n = std::make_unique<error_node>(error_kind::wrapped);
  n->text = std::move(context);
  n->children.push_back(cause.node_);
  cause.node_ = nullptr;
  return error(n.release());
}

error join(std::span<const error> errors) {
  std::size_t count = 0;
  const error* last = nullptr;
  for (const error& e : errors) {
    if (!e) continue;
    ++count;
    last = &e;
  }
  if (count == 0) return {};
  if (count == 1) return *last;
  auto n = std::make_unique<error_node>(error_kind::joined);
  n->children.reserve(count);
  for (const error& e : errors) {
    if (!e) continue;
    detail::retain_error(e.node_);
    n->children.push_back(e.node_);
  }
  return error(n.release());
}

}  // namespace runnel
