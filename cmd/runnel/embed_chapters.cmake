# Writes OUTPUT, a C++ file with the table of the tour's chapters, from FILES.
set(declarations "")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  string(MAKE_C_IDENTIFIER tour_${name} function)
  # A string literal holds only so much in some compilers' eyes, and CMake's lists eat brackets and
  # semicolons: so the source goes in as numbers.
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(STRINGS ${file} lines LIMIT_COUNT 1)
  string(REGEX REPLACE "^// " "" title "${lines}")
  string(REPLACE "\"" "\\\"" title "${title}")
  string(APPEND declarations
         "int ${function}();\nstatic const unsigned char source_of_${function}[] = {${bytes}};\n")
  string(APPEND rows
         "    {\"${name}\", \"${title}\", text(source_of_${function}), ${function}},\n")
endforeach()
file(
  WRITE ${OUTPUT}
  "// Written by embed_chapters.cmake.
#include \"tour_chapter.hpp\"

#include <cstddef>

${declarations}
namespace runnel_cli {
namespace {

template <std::size_t N>
std::string_view text(const unsigned char (&bytes)[N]) {
  return {reinterpret_cast<const char*>(bytes), N};
}

const tour_chapter table[] = {
${rows}};

}  // namespace

std::span<const tour_chapter> tour_chapters() { return table; }

}  // namespace runnel_cli
")
