// How `go` hands a closure to the runtime: built in place at the top of the new goroutine's stack.
#pragma once
#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include <runnel/detail/config.hpp>

namespace runnel::detail {

struct goroutine;

struct new_goroutine {
  goroutine* g;
  void* storage;  // for the closure
};

/// A stack with room for a closure of `bytes` at its top. `stack_size` 0: the default. Throws std::system_error when
/// no stack can be had, std::logic_error in the child of a fork.
new_goroutine make_goroutine(std::size_t bytes, std::size_t stack_size, std::string_view name);
/// Queues it. `entry` runs and destroys the closure.
void start_goroutine(new_goroutine made, void (*entry)(void*), void* created_at) noexcept;
/// The closure could not be built.
void abandon_goroutine(new_goroutine made) noexcept;

/// Closures larger than this live on the heap instead of on the stack.
inline constexpr std::size_t largest_inline_closure = 2048;

template <class C>
void run_inline_closure(void* storage) {
  C& closure = *std::launder(reinterpret_cast<C*>(storage));
  closure();
  closure.~C();
}

template <class C>
void destroy_heap_closure(C* closure) noexcept {
  closure->~C();
  ::operator delete(static_cast<void*>(closure), std::align_val_t(alignof(C)));
}

template <class C>
void run_heap_closure(void* storage) {
  C* closure = *static_cast<C**>(storage);
  (*closure)();
  destroy_heap_closure(closure);
}

template <class C, class Make>
void spawn(std::size_t stack_size, std::string_view name, void* created_at, Make&& make) {
  if constexpr (sizeof(C) <= largest_inline_closure && alignof(C) <= 64) {
    const new_goroutine made = make_goroutine(sizeof(C), stack_size, name);
    if constexpr (noexcept(make(made.storage))) {
      make(made.storage);
    } else {
      try {
        make(made.storage);
      } catch (...) {
        abandon_goroutine(made);
        throw;
      }
    }
    start_goroutine(made, &run_inline_closure<C>, created_at);
  } else {
    struct deleter {
      void* raw;
      ~deleter() { ::operator delete(raw, std::align_val_t(alignof(C))); }
    };
    C* closure = nullptr;
    {
      deleter guard{::operator new(sizeof(C), std::align_val_t(alignof(C)))};
      make(guard.raw);
      closure = static_cast<C*>(std::exchange(guard.raw, nullptr));
    }
    try {
      const new_goroutine made = make_goroutine(sizeof(C*), stack_size, name);
      *static_cast<C**>(made.storage) = closure;
      start_goroutine(made, &run_heap_closure<C>, created_at);
    } catch (...) {
      destroy_heap_closure(closure);
      throw;
    }
  }
}

}  // namespace runnel::detail
