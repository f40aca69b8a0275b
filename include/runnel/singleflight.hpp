// singleflight: one run of a function for all who ask for the same thing at once, as golang.org/x/sync/singleflight.
#pragma once
#include <concepts>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include <runnel/latch.hpp>
#include <runnel/mutex.hpp>

namespace runnel {

namespace detail {

template <class K>
concept hashable = std::equality_comparable<K> && requires(const K& key) {
  { std::hash<K>{}(key) } -> std::convertible_to<std::size_t>;
};

template <class K, class V>
struct map_of {
  using type = std::map<K, V>;
};
template <hashable K, class V>
struct map_of<K, V> {
  using type = std::unordered_map<K, V>;
};

}  // namespace detail

/// Keeps concurrent calls for the same key from doing the same work twice: one runs the function, the others wait for
/// its result and get a copy, or the exception it threw. Nothing is kept once the call has ended.
///
/// `K` is copyable and has std::hash or operator<; `V` is copyable, or void.
template <class K, class V>
class singleflight {
  static_assert(std::is_void_v<V> || std::copy_constructible<V>,
                "every caller of a singleflight gets a copy of the value");

 public:
  singleflight() = default;
  singleflight(const singleflight&) = delete;
  singleflight& operator=(const singleflight&) = delete;

  /// The result of `f()`, or of the call for `key` that is already under way, which is waited for. Throws what the
  /// function threw. Blocks as long as the function runs. A call for the same key from within `f` blocks for ever.
  template <class F>
  requires std::convertible_to<std::invoke_result_t<F&>, V> || std::is_void_v<V> V
  call(const K& key, F f) {
    std::shared_ptr<flight> mine;
    std::shared_ptr<flight> theirs;
    {
      const std::scoped_lock lock(mutex_);
      auto [at, inserted] = flights_.try_emplace(key);
      if (inserted) {
        try {
          at->second = mine = std::make_shared<flight>();
        } catch (...) {
          flights_.erase(at);
          throw;
        }
      } else {
        theirs = at->second;
      }
    }
    if (theirs != nullptr) {
      theirs->landed.wait();
      return theirs->result();
    }
    mine->run(f);
    try {
      remove(key, mine);
    } catch (...) {  // what compares keys threw
      mine->landed.count_down();
      throw;
    }
    mine->landed.count_down();
    return mine->result();
  }

  /// Lets go of the call for `key` that is under way, if any: the next one runs its function anew.
  void forget(const K& key) {
    const std::scoped_lock lock(mutex_);
    flights_.erase(key);
  }

 private:
  struct flight {
    template <class F>
    void run(F& f) noexcept {
      try {
        if constexpr (std::is_void_v<V>) {
          (void)f();
        } else {
          value.emplace(f());
        }
      } catch (...) {
        failure = std::current_exception();
      }
    }
    V result() const {
      if (failure != nullptr) std::rethrow_exception(failure);
      if constexpr (!std::is_void_v<V>) return *value;
    }

    struct nothing {};

    latch landed{1};
    std::exception_ptr
        failure;  // this and value: before `landed` the running caller's, immutable afterwards
    [[no_unique_address]] std::conditional_t<std::is_void_v<V>, nothing, std::optional<V>> value{};
  };

  // Others may have forgotten it and started anew meanwhile.
  void remove(const K& key, const std::shared_ptr<flight>& mine) {
    const std::scoped_lock lock(mutex_);
    const auto at = flights_.find(key);
    if (at != flights_.end() && at->second == mine) flights_.erase(at);
  }

  mutex mutex_;
  typename detail::map_of<K, std::shared_ptr<flight>>::type flights_;  // guarded by mutex_
};

}  // namespace runnel
