// Element types that keep count: what was made is destroyed exactly once, copied never, and moved from only when it
// should be.
#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

namespace runnel_test {

/// What happened to the values that were made with it.
struct tally {
  std::atomic<int> made{0};
  std::atomic<int> copied{0};
  std::atomic<int> moved{0};
  std::atomic<int> destroyed{0};
  std::atomic<int> full_destroyed{0};  // destroyed while they still held their value
  std::atomic<int> broken{0};          // used or destroyed without being alive

  int alive() const { return made + copied + moved - destroyed; }
};

/// A value that reports to a tally. Has what a channel needs of its elements and no more: no assignment, no default.
class tracked {
 public:
  tracked(tally& t, int value) : tally_(&t), value_(value) { ++t.made; }
  tracked(const tracked& other) : tally_(other.tally_), value_(other.value_) {
    other.check();
    ++tally_->copied;
  }
  tracked(tracked&& other) noexcept
      : tally_(other.tally_), value_(std::exchange(other.value_, gone)) {
    other.check();
    ++tally_->moved;
  }
  tracked& operator=(const tracked&) = delete;
  tracked& operator=(tracked&&) = delete;
  ~tracked() {
    check();
    if (value_ != gone) ++tally_->full_destroyed;
    ++tally_->destroyed;
    mark_ = dead;
  }

  int value() const {
    check();
    return value_;
  }
  bool moved_from() const { return value_ == gone; }

 private:
  static constexpr int gone = INT32_MIN;
  static constexpr std::uint32_t live = 0x600DF00DU;
  static constexpr std::uint32_t dead = 0xDEADDEADU;

  void check() const {
    if (mark_ != live) ++tally_->broken;
  }

  tally* tally_;
  int value_;
  volatile std::uint32_t mark_ = live;
};

/// The least that a channel may ask of a type: a nothrow move constructor and a destructor.
class move_only {
 public:
  explicit move_only(int value) : value_(value) {}
  move_only(move_only&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  move_only(const move_only&) = delete;
  move_only& operator=(const move_only&) = delete;
  move_only& operator=(move_only&&) = delete;
  ~move_only() = default;

  int value() const { return value_; }
  bool moved_from() const { return value_ == -1; }

 private:
  int value_;
};

}  // namespace runnel_test
