# The library itself: every src/<module>/*.cpp but the white-box tests, and the folder of this architecture.

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

function(runnel_add_library)
  set(source ${PROJECT_SOURCE_DIR}/src)
  runnel_architecture(architecture)
  file(GLOB files CONFIGURE_DEPENDS ${source}/*/*.cpp ${source}/arch/${architecture}/*.cpp
       ${source}/arch/${architecture}/*.S)
  list(FILTER files EXCLUDE REGEX "_test\\.cpp$")
  if(NOT files)
    message(FATAL_ERROR "no source files in ${source}")
  endif()

  add_library(runnel STATIC ${files})
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
  runnel_set_sanitizer(runnel)
endfunction()

if(RUNNEL_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
