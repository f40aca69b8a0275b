// How `go` hands a closure to the runtime: built in place in what the new goroutine grows from.
#pragma once
#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include <runnel/detail/config.hpp>

namespace runnel::detail {

struct goroutine;
struct seed;

struct new_goroutine {
  seed* s;
  void* storage;  // for the closure
};

/// Closures that are larger than this, or aligned more strictly, live on the heap.
inline constexpr std::size_t largest_inline_closure = 112;
inline constexpr std::size_t closure_alignment = 16;

/// A goroutine to be, with room for a closure. `stack_size` 0: the default. Throws std::system_error when no stack can
/// be had, std::bad_alloc.
new_goroutine make_goroutine(std::size_t stack_size, std::string_view name);
/// Queues it. `entry` runs and destroys the closure.
void start_goroutine(new_goroutine made, void (*entry)(void*), void* created_at) noexcept;
/// The closure could not be built.
void abandon_goroutine(new_goroutine made) noexcept;

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
  if constexpr (sizeof(C) <= largest_inline_closure && alignof(C) <= closure_alignment) {
    const new_goroutine made = make_goroutine(stack_size, name);
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
      const new_goroutine made = make_goroutine(stack_size, name);
      *static_cast<C**>(made.storage) = closure;
      start_goroutine(made, &run_heap_closure<C>, created_at);
    } catch (...) {
      destroy_heap_closure(closure);
      throw;
    }
  }
}

}  // namespace runnel::detail
