// What the handles of a broadcaster share.
//
// Two locks, taken in this order: `sending` is held for a whole send, so that all subscribers see the same order;
// `listing` guards the list and is never held while blocking, so that nobody waits for a slow subscriber to subscribe
// or to close.
#pragma once
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/detail/fan.hpp>
#include <runnel/mutex.hpp>

namespace runnel {

/// What a broadcaster does about a subscriber whose buffer is full.
enum class slow {
  block,        ///< wait for it
  drop_oldest,  ///< drop what it has had longest; without a buffer: the new value
  disconnect    ///< close its channel; what it has buffered stays receivable
};

namespace detail {

/// What the broadcaster tells a subscription.
struct subscriber_news {
  std::atomic<std::size_t> dropped{0};
  std::atomic<bool> disconnected{false};
};

template <class T>
struct subscriber {
  outlet<T> out;
  slow policy;
  std::shared_ptr<subscriber_news> news;
};

template <class T>
class broadcast_state {
 public:
  using value = chan_value<T>;
  using entry = std::shared_ptr<const subscriber<T>>;

  recv_chan<T> add(std::size_t capacity, slow policy, std::shared_ptr<subscriber_news> news) {
    auto [to, from] = make_abandonable<T>(capacity);
    auto added =
        std::make_shared<const subscriber<T>>(outlet<T>(std::move(to)), policy, std::move(news));
    std::vector<entry> gone;  // destroyed after the lock
    const std::lock_guard lock(listing_);
    gone = remove_gone();
    if (!closed_) list_.push_back(std::move(added));
    return std::move(from);
  }

  /// False: the context was done first.
  bool send(const context& ctx, const value& sent) {
    if (sending_.lock(ctx)) return false;
    const std::lock_guard order(sending_, std::adopt_lock);
    std::vector<chan_state<value>*> blocking;
    const std::vector<entry> receivers = current();
    for (const entry& to : receivers) {
      if (to->policy == slow::block) {
        blocking.push_back(to->out.state());
      } else {
        offer(*to, value(sent));
      }
    }
    const bool all = send_to_all(ctx, blocking, sent);
    if (closed()) throw_send_on_closed();
    return all;
  }

  void close() {
    std::vector<entry> all;
    {
      const std::lock_guard lock(listing_);
      closed_ = true;
      all.swap(list_);
    }
    for (const entry& each : all) each->out.state()->close();
  }

  bool closed() {
    const std::lock_guard lock(listing_);
    return closed_;
  }

  std::size_t count() {
    std::vector<entry> gone;
    const std::lock_guard lock(listing_);
    gone = remove_gone();
    return list_.size();
  }

 private:
  std::vector<entry> current() {
    std::vector<entry> gone;
    const std::lock_guard lock(listing_);
    if (closed_) throw_send_on_closed();
    gone = remove_gone();
    return list_;
  }

  // With listing_ held.
  std::vector<entry> remove_gone() {
    std::vector<entry> gone;
    std::erase_if(list_, [&](entry& each) {
      if (!each->out.abandoned()) return false;
      gone.push_back(std::move(each));
      return true;
    });
    return gone;
  }

  // Without waiting.
  static void offer(const subscriber<T>& to, value newest) {
    chan_state<value>& c = *to.out.state();
    if (send_until(&c, newest, 0) != chan_outcome::would_block) return;
    if (to.policy == slow::disconnect) {
      to.news->disconnected = true;
      c.close();
      return;
    }
    std::optional<value> oldest;  // destroyed after the lock
    agent* wake = nullptr;        // no sender waits, and a receiver only while the buffer is empty
    {
      const std::lock_guard lock(c.mu);
      if (c.try_send(newest, wake) == chan_outcome::would_block) {
        to.news->dropped.fetch_add(1);
        (void)c.try_recv(oldest, wake);
        (void)c.try_send(newest, wake);
      }
    }
    if (wake != nullptr) ready(wake);
  }

  mutex sending_;
  mutex listing_;
  std::vector<entry> list_;  // guarded by listing_
  bool closed_ = false;      // guarded by listing_
};

/// Shared by the handles of a broadcaster; the last of them closes it.
template <class T>
struct broadcast_owner {
  broadcast_state<T> state;
  ~broadcast_owner() { state.close(); }
};

}  // namespace detail
}  // namespace runnel
