# Warnings of developer mode, for everything the project builds; directory options never reach a consumer.
add_compile_options(
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wold-style-cast;-Wcast-qual;-Wextra-semi;-Wundef;-Wvla>"
)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND RUNNEL_SANITIZE)
  # The instrumented flow of g++ 12 makes these see what is not there; and it does not model fences, of which the one
  # in src/watch orders atomic loads only.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized;-Wno-tsan>")
endif()
if(RUNNEL_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
