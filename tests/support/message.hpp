// The message of an exception that a call must throw.
#pragma once
#include <gtest/gtest.h>

#include <string>

namespace runnel_test {

/// What `f` throws as an E; "(nothing thrown)" otherwise.
template <class E, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "(nothing thrown)";
}

}  // namespace runnel_test
