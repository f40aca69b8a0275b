// A function for the end of a scope.
#pragma once
#include <utility>

namespace runnel_cli {

/// Calls a function when its scope is left, whichever way.
template <class F>
class on_leaving {
 public:
  explicit on_leaving(F f) : f_(std::move(f)) {}
  on_leaving(const on_leaving&) = delete;
  on_leaving& operator=(const on_leaving&) = delete;
  ~on_leaving() { f_(); }

 private:
  F f_;
};

}  // namespace runnel_cli
