# Warnings of developer mode, for everything the project builds; directory options never reach a consumer.
add_compile_options(
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wold-style-cast;-Wcast-qual;-Wextra-semi;-Wundef;-Wvla>"
)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees uninitialised values in std::optional that are not there.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  if(RUNNEL_SANITIZE STREQUAL "thread")
    # ThreadSanitizer does not model fences; the one in src/watch orders atomic loads only.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  endif()
endif()
if(RUNNEL_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
