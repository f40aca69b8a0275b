// What a signal does: changing it, and changing it back.
#pragma once
#include <csignal>

namespace runnel::detail {

/// What a signal did before a handler of ours was installed.
class saved_disposition {
 public:
  /// Installs `handler`, which must be fit for any thread at any moment. Returns an errno, or zero.
  int replace(int number, void (*handler)(int)) noexcept;
  void restore(int number) const noexcept;

 private:
  // As the kernel has it.
  struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
  };

  static void kernel_call(int number, const kernel_action* now, kernel_action* before) noexcept;

  struct sigaction before_ {};
  kernel_action kernel_before_{};  // with ThreadSanitizer only
};

}  // namespace runnel::detail
