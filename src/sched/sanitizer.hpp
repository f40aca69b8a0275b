// What sanitizers have to be told about stacks. Without them everything here is empty.
#pragma once
#include <cstddef>

#include <runnel/detail/config.hpp>

#include "stack/stack.hpp"

#if RUNNEL_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if RUNNEL_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace runnel::detail {

/// One context (a goroutine's or a thread's own) as the sanitizers know it.
struct sanitizer_fiber {
#if RUNNEL_TSAN
  void* tsan = nullptr;
#endif
#if RUNNEL_ASAN
  void* fake_stack = nullptr;
  const void* low = nullptr;
  std::size_t size = 0;
#endif

  void create([[maybe_unused]] void* stack_low, [[maybe_unused]] std::size_t bytes) noexcept {
#if RUNNEL_TSAN
    tsan = __tsan_create_fiber(0);
#endif
#if RUNNEL_ASAN
    fake_stack = nullptr;
    low = stack_low;
    size = bytes;
    // What a goroutine that is still blocked at the end holds is not lost, nor is its name.
    __lsan_register_root_region(low, size + control_block_bytes);
#endif
  }
  /// The context has ended and its stack is not in use any more.
  void destroy() noexcept {
#if RUNNEL_TSAN
    __tsan_destroy_fiber(tsan);
    tsan = nullptr;
#endif
#if RUNNEL_ASAN
    __lsan_unregister_root_region(low, size + control_block_bytes);
#endif
  }
  /// For the context a thread starts with.
  void adopt_thread() noexcept {
#if RUNNEL_TSAN
    tsan = __tsan_get_current_fiber();
#endif
#if RUNNEL_ASAN
    pthread_attr_t attributes;
    void* stack = nullptr;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    pthread_attr_getstack(&attributes, &stack, &size);
    pthread_attr_destroy(&attributes);
    low = stack;
#endif
  }
};

/// Before anything is written to a stack: what frames that were never returned from have left there is gone.
inline void forget_frames([[maybe_unused]] void* stack_low,
                          [[maybe_unused]] std::size_t bytes) noexcept {
#if RUNNEL_ASAN
  __asan_unpoison_memory_region(stack_low, bytes);
#endif
}

/// Memory that is free from here on, until it is used again.
inline void forbid([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t bytes) noexcept {
#if RUNNEL_ASAN
  __asan_poison_memory_region(at, bytes);
#endif
}
inline void allow([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t bytes) noexcept {
#if RUNNEL_ASAN
  __asan_unpoison_memory_region(at, bytes);
#endif
}

/// What is kept for ever although nothing may point to it any more is no leak.
inline void keep_for_ever([[maybe_unused]] const void* allocated) noexcept {
#if RUNNEL_ASAN
  __lsan_ignore_object(allocated);
#endif
}

/// Just before leaving `from` for `to`; `ends`: `from` will never be continued.
inline void leaving([[maybe_unused]] sanitizer_fiber& from, [[maybe_unused]] sanitizer_fiber& to,
                    [[maybe_unused]] bool ends) noexcept {
#if RUNNEL_ASAN
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake_stack, to.low, to.size);
#endif
#if RUNNEL_TSAN
  __tsan_switch_to_fiber(to.tsan, 0);
#endif
}

/// First thing on the other side.
inline void arrived([[maybe_unused]] sanitizer_fiber& self) noexcept {
#if RUNNEL_ASAN
  __sanitizer_finish_switch_fiber(self.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace runnel::detail
