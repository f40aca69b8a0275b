// Signals as values in channels, as Go's package os/signal. Component runnel::net.
#pragma once
#include <initializer_list>
#include <runnel/chan.hpp>
#include <utility>

namespace runnel {

class signal_subscription;

/// Subscribes to signals: from now on each comes out of the subscription's channel and does nothing else. Waits for
/// nobody.
///
/// As with Go's signal.Notify, delivery never waits for the receiver: the channel has room for 16, and what finds it
/// full is dropped. As with the kernel's own pending signals, several of one number that come in quick succession may
/// be delivered as one, real-time signals included. Any number of subscriptions may name a signal; each gets it.
/// Signals that the process ignored are delivered, too, while a subscription lasts, and so are those to the process
/// that every thread blocks, pending ones included; one to a single thread that blocks it stays there. System calls
/// that a signal interrupts are restarted where the kernel can. In the child of a fork() the signals do what they do by
/// default.
///
/// While a subscription exists a goroutine of the library waits for signals (num_goroutines() counts it, leak_action
/// does not), and so no deadlock is reported.
///
/// `signals` may be empty: nothing ever comes. Throws std::system_error: std::errc::invalid_argument for a number that
/// is no signal, for SIGKILL and SIGSTOP, which cannot be caught, for SIGSEGV, SIGBUS, SIGFPE and SIGILL, which report
/// faults of the very thread that gets them, and for those that the C library keeps for itself;
/// std::errc::too_many_files_open; std::errc::no_space_on_device if no more descriptors may be watched. Throws
/// std::bad_alloc when there is no memory. Nothing has changed then.
signal_subscription notify(std::initializer_list<int> signals);

namespace detail {
struct signal_subscriber;
}

/// What notify() gives. Move-only; may be destroyed by another goroutine or thread than the one that made it.
class [[nodiscard]] signal_subscription {
 public:
  /// No subscription.
  signal_subscription() noexcept = default;
  signal_subscription(signal_subscription&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)) {}
  signal_subscription& operator=(signal_subscription&& other) noexcept {
    if (this != &other) {
      end();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  /// Ends the subscription and closes its channel. With the last subscription of a signal the disposition comes back
  /// that the signal had before the first. A signal that was sent and has not reached a thread yet then finds that.
  ~signal_subscription() { end(); }

  /// The numbers of the signals that came; the nil channel if there is no subscription. Always the same channel; what
  /// is in it when the subscription ends can still be received.
  recv_chan<int> chan() const;

 private:
  friend signal_subscription notify(std::initializer_list<int> signals);
  explicit signal_subscription(detail::signal_subscriber* state) noexcept : state_(state) {}
  void end() noexcept;

  detail::signal_subscriber* state_ = nullptr;  // owned
};

}  // namespace runnel
