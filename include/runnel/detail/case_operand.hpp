// What a select case refers to.
#pragma once
#include <utility>

namespace runnel::detail {

struct share_t {};
inline constexpr share_t share{};

/// Somebody else's share of a `State`, lent, or a `Share` of its own. Whoever names a channel in a select has it, and
/// a share would be counted in a line that all who select on the channel fetch from each other. A copy, or what is moved
/// elsewhere, may outlive the lender, and so has a share.
template <class State, class Share>
class case_operand {
 public:
  explicit case_operand(State* lent) noexcept : state_(lent), own_(nullptr) {}
  case_operand(State* state, Share own) noexcept : state_(state), own_(std::move(own)) {}
  case_operand(const case_operand& other) noexcept
      : state_(other.state_), own_(other.state_, share) {}
  case_operand& operator=(const case_operand&) = delete;

  State* state() const noexcept { return state_; }
  bool is_lent() const noexcept { return own_ == nullptr; }

 private:
  State* state_;
  Share own_;  // null: lent
};

}  // namespace runnel::detail
