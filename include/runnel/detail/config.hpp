// What the compiler and its instrumentation tell the library, and the link-time check that every translation
// unit was built with the same layout.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define RUNNEL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RUNNEL_TSAN 1
#endif
#endif
#ifndef RUNNEL_TSAN
#define RUNNEL_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define RUNNEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RUNNEL_ASAN 1
#endif
#endif
#ifndef RUNNEL_ASAN
#define RUNNEL_ASAN 0
#endif

#define RUNNEL_ALWAYS_INLINE inline __attribute__((always_inline))

// Never inlined, cloned or analysed across calls: for what must be read afresh after a goroutine may have moved
// to another thread.
#if defined(__clang__)
#define RUNNEL_OPAQUE __attribute__((noinline))
#else
#define RUNNEL_OPAQUE __attribute__((noinline, noipa))
#endif

// A translation unit built with other layout settings than the library refers to a symbol the library does not
// define, so that mixing them fails at link time and not at run time.
#if RUNNEL_TSAN
#define RUNNEL_LAYOUT_SYMBOL runnel_was_built_without_thread_sanitizer
#elif RUNNEL_ASAN
#define RUNNEL_LAYOUT_SYMBOL runnel_was_built_without_address_sanitizer
#else
#define RUNNEL_LAYOUT_SYMBOL runnel_was_built_with_a_sanitizer
#endif

extern "C" const char RUNNEL_LAYOUT_SYMBOL;

namespace runnel::detail {
[[maybe_unused]] __attribute__((used)) static const char* const layout_check =
    &RUNNEL_LAYOUT_SYMBOL;
}
