// Commands: which braces are placeholders, what they stand for, how they are expanded without a
// shell. With one, see shell_script_test.cpp.
#include "map/command_template.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"

namespace runnel_cli {
namespace {

using words = std::vector<std::string>;

words expand(const words& arguments, const std::vector<item>& items, slot place = {7, 3}) {
  return command_template(arguments, false).expand(items, place);
}

// `text` with one item of one value.
std::string one(const std::string& text, const std::string& value) {
  return expand({"c", text, "{}"}, {{{value}}}).at(1);
}

TEST(command_template_test, no_command_is_bad_usage) {
  EXPECT_THROW(command_template({}, false), usage_error);
  EXPECT_THROW(command_template({}, true), usage_error);
}

TEST(command_template_test, items_are_appended_if_none_is_placed) {
  EXPECT_EQ(expand({"echo", "-n"}, {{{"a b"}}}), (words{"echo", "-n", "a b"}));
  EXPECT_EQ(expand({"echo"}, {{{"a", "1"}}, {{"b", "2"}}}), (words{"echo", "a", "1", "b", "2"}));
  EXPECT_EQ(expand({"echo"}, {}), words{"echo"});
}

TEST(command_template_test, with_the_job_and_worker_numbers_alone_no_item_is_appended) {
  EXPECT_EQ(expand({"echo", "{#}:{%}"}, {{{"a"}}}), (words{"echo", "7:3"}));
  EXPECT_FALSE(command_template({"echo", "{#}", "{%}"}, false).places_items());
  EXPECT_TRUE(command_template({"echo", "{2/.}"}, false).places_items());
  EXPECT_TRUE(command_template({"echo", "x{/}"}, false).places_items());
}

TEST(command_template_test, a_value_is_put_in_as_it_is) {
  const std::string nasty = "-x {} {1} $(id) `id` '\"\\\n;";
  EXPECT_EQ(one("{}", nasty), nasty);
  EXPECT_EQ(one("a{}b{}c", "x"), "axbxc");
  EXPECT_EQ(expand({"{}", "{}"}, {{{"ls"}}}), (words{"ls", "ls"}));
}

TEST(command_template_test, the_extension_goes_from_the_last_component_only) {
  const std::pair<const char*, const char*> cases[] = {
      {"a.txt", "a"},
      {"d/a.tar.gz", "d/a.tar"},
      {".bashrc", ".bashrc"},
      {"d/.x", "d/.x"},
      {"a.d/b", "a.d/b"},
      {".a.b", ".a"},
      {"..", ".."},
      {".", "."},
      {"..a", "..a"},
      {"a.", "a."},
      {"", ""},
      {"a.d/", "a.d/"},
      {"x.y/.z", "x.y/.z"},
      {"plain", "plain"},
  };
  for (const auto& [value, expected] : cases) EXPECT_EQ(one("{.}", value), expected) << value;
}

TEST(command_template_test, basename_and_dirname_are_those_of_the_commands) {
  struct {
    const char* value;
    const char* base;
    const char* directory;
  } const cases[] = {
      {"a", "a", "."},    {"d/a", "a", "d"}, {"/a", "a", "/"}, {"/d/a", "a", "/d"},
      {"a/b/", "b", "a"}, {"/", "/", "/"},   {"//", "/", "/"}, {"a//b", "b", "a"},
      {"/a/", "a", "/"},  {"", "", "."},     {"a/", "a", "."}, {"..", "..", "."},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(one("{/}", c.value), c.base) << c.value;
    EXPECT_EQ(one("{//}", c.value), c.directory) << c.value;
  }
  EXPECT_EQ(one("{/.}", "d.e/a.tar.gz"), "a.tar");
  EXPECT_EQ(one("{/.}", "d/.bashrc"), ".bashrc");
}

TEST(command_template_test, other_braces_stay_as_they_are_written) {
  for (const char* text : {"{x}",  "{ }",  "{print}", "{print $1}", "{",      "}",     "{{",
                           "{0}",  "{01}", "{1x}",    "{-1}",       "{.1}",   "{///}", "{..}",
                           "{#1}", "{1#}", "{./}",    "${x}",       "a{b,c}", "{1",    "{."}) {
    EXPECT_EQ(one(text, "v"), text);
  }
  EXPECT_EQ(one("{{}}", "v"), "{v}");
  EXPECT_EQ(one("{}}", "v"), "v}");
  EXPECT_EQ(one("{{1}{x}", "v"), "{v{x}");
}

TEST(command_template_test, several_sources_are_separated_by_blanks_or_numbered) {
  const std::vector<item> items = {{{"d/a.x", "e/b.y"}}};
  EXPECT_EQ(expand({"c", "<{}>", "{.}", "{/.}"}, items),
            (words{"c", "<d/a.x e/b.y>", "d/a e/b", "a b"}));
  EXPECT_EQ(expand({"c", "{2}{1}", "{1.} {1/} {1//} {1/.}"}, items),
            (words{"c", "e/b.yd/a.x", "d/a a.x d a"}));
}

TEST(command_template_test, a_number_beyond_the_values_is_empty_however_large) {
  EXPECT_EQ(one("<{2}{2//}{99999999999999999999999}{18446744073709551615}>", "v"), "<>");
}

TEST(command_template_test, an_argument_with_the_item_is_there_once_for_each) {
  const std::vector<item> items = {{{"a.x"}}, {{"b.y"}}};
  EXPECT_EQ(expand({"c", "--f={}", "k", "{.}:{}", "{#}"}, items),
            (words{"c", "--f=a.x", "--f=b.y", "k", "a:a.x", "b:b.y", "7"}));
}

TEST(command_template_test, a_numbered_value_counts_over_all_items_and_repeats_nothing) {
  const std::vector<item> items = {{{"a", "1"}}, {{"b", "2"}}};
  EXPECT_EQ(expand({"c", "{3}-{2}"}, items), (words{"c", "b-1"}));
  EXPECT_EQ(expand({"c", "{}/{3}"}, items), (words{"c", "a 1/b", "b 2/b"}));
}

TEST(command_template_test, without_items_a_placeholder_is_empty) {
  EXPECT_EQ(expand({"c", "x{}y", "{1}"}, {}), (words{"c", "xy", ""}));
}

TEST(command_template_test, the_line_can_be_typed) {
  const std::vector<item> items = {{{"it's"}}};
  EXPECT_EQ(command_template({"echo", "{}"}, false).line(items, {}), "echo 'it'\\''s'");
}

// The bytes that one_or_more() would count are no more than item_space() says: is what is executed
// within the space then?
TEST(command_template_test, items_within_their_space_make_a_command_within_the_space) {
  const std::size_t space = 128 * 1024;
  for (const bool shell : {false, true}) {
    for (const words& arguments : std::vector<words>{{"c"},
                                                     {"c", "{}"},
                                                     {"c", "--file={}", "{.}"},
                                                     {"c", "{}{}{}"},
                                                     {"c", "'{}' \"{/}\""}}) {
      for (const std::size_t length : {0u, 1u, 30u, 3000u}) {
        const command_template command(arguments, shell);
        const std::size_t each = length + 1 + sizeof(char*);
        const std::size_t count = (command.item_space(space) - command.fixed_bytes()) / each;
        ASSERT_GT(count, 0u);
        const words argv =
            command.expand(std::vector<item>(count, {{std::string(length, 'x')}}), {});
        std::size_t total = 0;
        for (const std::string& word : argv) total += word.size() + 1 + sizeof(char*);
        EXPECT_LE(total, space + 100) << arguments.back() << ' ' << length << ' ' << shell;
      }
    }
  }
}

TEST(command_template_test, appended_and_plain_items_may_take_all_the_space) {
  EXPECT_EQ(command_template({"c"}, false).item_space(1000), 1000u);
  EXPECT_EQ(command_template({"c", "{}"}, false).item_space(1000), 1000u);
  EXPECT_EQ(command_template({"c", "{1}"}, true).item_space(1000), 1000u);
  EXPECT_EQ(command_template({"c", "{}{}"}, false).item_space(1000), 500u);
  EXPECT_EQ(command_template({"c", "ab"}, false).fixed_bytes(), 3 + 2 * (1 + sizeof(char*)));
}

}  // namespace
}  // namespace runnel_cli
