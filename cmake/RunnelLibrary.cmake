# The library itself: every src/<module>/*.cpp but the white-box tests, and the folder of this architecture. The modules
# of a component are a library of their own.
set(RUNNEL_NET_MODULES net process signal)

function(runnel_architecture result)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    set(${result} x86_64 PARENT_SCOPE)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(${result} aarch64 PARENT_SCOPE)
  else()
    message(FATAL_ERROR "runnel runs on x86-64 and AArch64, not on ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
endfunction()

# The flags of RUNNEL_SANITIZE are PUBLIC: whoever links an instrumented library must be instrumented too.
function(runnel_set_sanitizer target)
  if(RUNNEL_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread)
  elseif(RUNNEL_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  elseif(RUNNEL_SANITIZE)
    message(FATAL_ERROR "RUNNEL_SANITIZE is thread or address, not ${RUNNEL_SANITIZE}")
  else()
    return()
  endif()
  target_compile_options(${target} PUBLIC $<$<COMPILE_LANGUAGE:CXX>:${flags}>)
  target_compile_options(${target} PRIVATE -g -fno-omit-frame-pointer)
  target_link_options(${target} PUBLIC ${flags})
endfunction()

# Function names, files and lines in reports come from GCC's libbacktrace: on its own, or inside libstdc++ (where
# std::stacktrace uses it). Without any, reports have the names that the dynamic linker knows. The result is the
# library's name, and the prefix of its functions.
function(runnel_find_backtrace library prefix)
  include(CheckCXXSourceCompiles)
  foreach(candidate "backtrace;backtrace_" "stdc++_libbacktrace;__glibcxx_backtrace_"
                    "stdc++exp;__glibcxx_backtrace_")
    list(GET candidate 0 name)
    list(GET candidate 1 start)
    string(MAKE_C_IDENTIFIER "RUNNEL_HAS_${name}" found)
    set(CMAKE_REQUIRED_LIBRARIES -l${name})
    check_cxx_source_compiles("
      extern \"C\" void* ${start}create_state(const char*, int, void (*)(void*, const char*, int), void*);
      int main() { return ${start}create_state(nullptr, 1, nullptr, nullptr) == nullptr; }" ${found})
    if(${found})
      set(${library} ${name} PARENT_SCOPE)
      set(${prefix} ${start} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${library} "" PARENT_SCOPE)
endfunction()

function(runnel_add_library)
  set(source ${PROJECT_SOURCE_DIR}/src)
  runnel_architecture(architecture)
  file(GLOB files CONFIGURE_DEPENDS ${source}/*/*.cpp ${source}/arch/${architecture}/*.cpp
       ${source}/arch/${architecture}/*.S)
  list(FILTER files EXCLUDE REGEX "_test\\.cpp$")
  list(JOIN RUNNEL_NET_MODULES "|" net_modules)
  list(FILTER files EXCLUDE REGEX "/src/(${net_modules})/[^/]*$")
  if(NOT files)
    message(FATAL_ERROR "no source files in ${source}")
  endif()

  add_library(runnel STATIC ${files})
  # What tools/runnel-gdb.py has to know about types, also where nothing else has debug information.
  # Version 4, for valgrind 3.19 gives up at what clang 16 makes of version 5; and clang leaves types out whose
  # constructors are in other files.
  set_source_files_properties(
    ${source}/sched/switch.cpp PROPERTIES COMPILE_OPTIONS "-gdwarf-4;$<$<CXX_COMPILER_ID:Clang>:-fstandalone-debug>")
  add_library(runnel::runnel ALIAS runnel)
  target_compile_features(runnel PUBLIC cxx_std_20)
  set_target_properties(runnel PROPERTIES CXX_EXTENSIONS OFF)
  target_include_directories(
    runnel
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>
    PRIVATE ${source})

  set(THREADS_PREFER_PTHREAD_FLAG ON)
  find_package(Threads REQUIRED)
  target_link_libraries(runnel PUBLIC Threads::Threads)
  runnel_find_backtrace(backtrace backtrace_prefix)
  if(backtrace)
    target_link_libraries(runnel PRIVATE -l${backtrace})
    target_compile_definitions(runnel PRIVATE RUNNEL_BACKTRACE="${backtrace_prefix}")
    set(RUNNEL_PC_BACKTRACE " -l${backtrace}" PARENT_SCOPE)
  endif()
  runnel_set_sanitizer(runnel)
endfunction()

# The components runnel::net and runnel::asio. A program that takes in this project as a part of itself builds it only if it uses it.
function(runnel_add_net)
  set(globs)
  foreach(module IN LISTS RUNNEL_NET_MODULES)
    list(APPEND globs ${PROJECT_SOURCE_DIR}/src/${module}/*.cpp)
  endforeach()
  file(GLOB files CONFIGURE_DEPENDS ${globs})
  list(FILTER files EXCLUDE REGEX "_test\\.cpp$")
  add_library(runnel_net STATIC ${files})
  add_library(runnel::net ALIAS runnel_net)
  set_target_properties(runnel_net PROPERTIES EXPORT_NAME net CXX_EXTENSIONS OFF)
  if(NOT RUNNEL_TOP_LEVEL AND NOT RUNNEL_INSTALL)
    set_target_properties(runnel_net PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_include_directories(runnel_net PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(runnel_net PUBLIC runnel)
  runnel_set_sanitizer(runnel_net)

  # A header alone; Boost.Asio, which it needs, is the program's own.
  add_library(runnel_asio INTERFACE)
  add_library(runnel::asio ALIAS runnel_asio)
  set_target_properties(runnel_asio PROPERTIES EXPORT_NAME asio)
  target_link_libraries(runnel_asio INTERFACE runnel_net)
endfunction()

if(RUNNEL_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
