# Tests. tests/<suite>/*_test.cpp make test_<suite>; src/*/*_test.cpp make test_unit; tests/misuse/programs/NAME.cpp
# makes prog_NAME, which tests run as a child. tests/<suite>/CMakeLists.txt, where there is one, adds to that.
include(GoogleTest)
set(CMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE PRE_TEST)

if(CMAKE_CROSSCOMPILING)
  # Debian ships GoogleTest's sources, but no library for another architecture.
  set(INSTALL_GTEST OFF)
  add_subdirectory(/usr/src/googletest ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  foreach(target gtest gtest_main)
    target_compile_options(${target} PRIVATE -w)
    if(NOT TARGET GTest::${target})
      add_library(GTest::${target} ALIAS ${target})
    endif()
  endforeach()
else()
  find_package(GTest REQUIRED)
endif()

set(RUNNEL_PROGRAMS ${PROJECT_BINARY_DIR}/programs)
file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/misuse/programs/*.cpp)
set(RUNNEL_PROGRAM_TARGETS)
foreach(file IN LISTS programs)
  get_filename_component(name ${file} NAME_WE)
  add_executable(prog_${name} ${file})
  # Exported names, so that the goroutine list can name functions.
  set_target_properties(prog_${name} PROPERTIES ENABLE_EXPORTS ON RUNTIME_OUTPUT_DIRECTORY ${RUNNEL_PROGRAMS})
  target_link_libraries(prog_${name} PRIVATE runnel::net)
  list(APPEND RUNNEL_PROGRAM_TARGETS prog_${name})
endforeach()

add_library(runnel_test_support STATIC ${PROJECT_SOURCE_DIR}/tests/support/matrix.cpp)
target_link_libraries(runnel_test_support PUBLIC runnel::net GTest::gtest)
if(CMAKE_CROSSCOMPILING)
  list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
  target_compile_definitions(runnel_test_support PUBLIC RUNNEL_TEST_SLOW_MACHINE RUNNEL_TEST_EMULATOR="${emulator}")
endif()

# runnel_add_suite(NAME FILE...): the executable test_NAME; each of its cases is a ctest test NAME.* of its own.
function(runnel_add_suite name)
  add_executable(test_${name} ${ARGN})
  target_link_libraries(test_${name} PRIVATE runnel_test_support GTest::gtest_main)
  target_compile_definitions(
    test_${name}
    PRIVATE RUNNEL_PROGRAM_DIR="${RUNNEL_PROGRAMS}" RUNNEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(RUNNEL_SANITIZE STREQUAL "address")
    # The checks of undefined behaviour make optimising the tests take as long as all the rest of the build.
    target_compile_options(test_${name} PRIVATE -O0)
  endif()
  if(TARGET runnel_tool)
    target_compile_definitions(test_${name} PRIVATE RUNNEL_TOOL="$<TARGET_FILE:runnel_tool>")
  endif()
  gtest_discover_tests(
    test_${name}
    TEST_PREFIX ${name}.
    DISCOVERY_TIMEOUT 60
    NO_PRETTY_VALUES
    PROPERTIES TIMEOUT 120 LABELS ${name} ENVIRONMENT "CXX=${CMAKE_CXX_COMPILER}")
endfunction()

file(GLOB white_box CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*/*_test.cpp)
if(white_box)
  runnel_add_suite(unit ${white_box})
  target_include_directories(test_unit PRIVATE ${PROJECT_SOURCE_DIR}/src)
endif()

# The parts of the tool.
file(GLOB tool_white_box CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmd/runnel/*_test.cpp
     ${PROJECT_SOURCE_DIR}/cmd/runnel/*/*_test.cpp)
if(TARGET runnel_map AND tool_white_box)
  find_package(nlohmann_json REQUIRED)
  runnel_add_suite(tool ${tool_white_box})
  target_link_libraries(test_tool PRIVATE runnel_map nlohmann_json::nlohmann_json)
endif()

# Headers of another architecture than this machine's are not looked for.
if(NOT CMAKE_CROSSCOMPILING)
  find_path(RUNNEL_BEAST boost/beast/http.hpp)
endif()
file(GLOB test_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*/*_test.cpp)
set(suites)
set(left_out)
foreach(file IN LISTS test_files)
  get_filename_component(folder ${file} DIRECTORY)
  get_filename_component(suite ${folder} NAME)
  list(APPEND suites ${suite})
endforeach()
list(REMOVE_DUPLICATES suites)
foreach(suite IN LISTS suites)
  if(suite STREQUAL "cli" AND NOT TARGET runnel_tool)
    continue()
  endif()
  if(suite STREQUAL "asio" AND NOT RUNNEL_BEAST)
    message(STATUS "tests: no Boost.Beast, so nothing of Asio is tested")
    file(GLOB left_out ${PROJECT_SOURCE_DIR}/tests/asio/*_test.cpp)
    continue()
  endif()
  set(files ${test_files})
  list(FILTER files INCLUDE REGEX "/tests/${suite}/[^/]*$")
  runnel_add_suite(${suite} ${files})
endforeach()
if(TARGET test_misuse AND RUNNEL_PROGRAM_TARGETS)
  add_dependencies(test_misuse ${RUNNEL_PROGRAM_TARGETS})
endif()
if(TARGET test_asio)
  find_package(OpenSSL REQUIRED)
  target_link_libraries(test_asio PRIVATE OpenSSL::SSL)
endif()
if(TARGET test_cli)
  add_dependencies(test_cli runnel_tool)
endif()

# The files that belong to a target, for the check that none is forgotten.
set(RUNNEL_BUILT_TESTS ${left_out} ${programs} ${white_box} ${tool_white_box})
foreach(target unit ${suites})
  if(TARGET test_${target})
    get_target_property(files test_${target} SOURCES)
    list(APPEND RUNNEL_BUILT_TESTS ${files})
  endif()
endforeach()

foreach(folder checks debuggers install)
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/${folder}/CMakeLists.txt)
    add_subdirectory(${PROJECT_SOURCE_DIR}/tests/${folder} ${PROJECT_BINARY_DIR}/tests/${folder})
  endif()
endforeach()
