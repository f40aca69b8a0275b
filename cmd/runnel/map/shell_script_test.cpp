// Scripts with values in them, by really running them: what arrives is compared byte for byte.
#include "map/shell_script.hpp"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "map/shell_quote.hpp"

namespace runnel_cli {
namespace {

using words = std::vector<std::string>;

// What argv writes to standard output, complaints included.
std::string output_of(words argv) {
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  pid_t child = 0;
  const int failure =
      ::posix_spawnp(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string result;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    result.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  if (failure != 0) throw std::runtime_error("posix_spawnp");
  ::waitpid(child, nullptr, 0);
  return result;
}

class shell_script_test : public ::testing::TestWithParam<const char*> {
 protected:
  // With the shell of the parameter in place of sh.
  static std::string run(const std::string& text, const std::vector<item>& items,
                         slot place = {7, 3}) {
    words argv = shell_script(text).command(items, place);
    argv[0] = GetParam();
    return output_of(argv);
  }
  static std::string run(const std::string& text, const std::string& value) {
    return run(text, std::vector<item>{{{value}}});
  }
};

const words& nasty_values() {
  static const words values = [] {
    words result = {"",
                    "plain",
                    "a  b",
                    "it's",
                    "say \"hi\"",
                    "$HOME",
                    "$(echo x)",
                    "`echo x`",
                    "a;echo x",
                    "a\nb",
                    "\n",
                    "ends\n\n",
                    "-n",
                    "--",
                    "\\",
                    "\\\\n",
                    "a\\",
                    "*",
                    "~",
                    "{}",
                    "{1}",
                    "${_1}",
                    "'",
                    "''",
                    "'\"'\"'",
                    "\"; echo x; \"",
                    "'; echo x; '",
                    "$(",
                    "`",
                    "!x",
                    "#x",
                    "a=b",
                    "\t",
                    "|",
                    "&",
                    ">x",
                    "(a)",
                    "$((1+1))",
                    "\xff\xfe",
                    "\xc3\xa9",
                    "%s%n"};
    std::string all;
    for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
    result.push_back(all);
    return result;
  }();
  return values;
}

// Writes each argument in angle brackets.
const std::string show = "printf '<%s>' ";

TEST_P(shell_script_test, any_value_arrives_as_it_is_in_any_kind_of_quotes) {
  const std::string scripts[] = {show + "{}",
                                 show + "'{}'",
                                 show + "\"{}\"",
                                 show + "\\{}",
                                 show + "''{}\"\"",
                                 show + "\"$(printf %s. {})\"",
                                 show.substr(0, show.size() - 1),
                                 "x={}; " + show + "\"$x\"",
                                 "x='{}' && " + show + "\"$x\"",
                                 "f() { " + show + "\"$1\"; }; f {}",
                                 "f() { " + show + "{}; }; f other",
                                 "set -- a b; shift; " + show + "{}",
                                 "( " + show + "\"{}\" )",
                                 "unset nothing; " + show + "\"${nothing:-{}}\"",
                                 "unset nothing; " + show + "${nothing:-\"{}\"}",
                                 show + "\\\\\"\"{}",
                                 "case {} in '{}') " + show + "{};; esac",
                                 "for i in {}; do " + show + "\"$i\"; done",
                                 "if true; then " + show + "{}; fi"};
  for (const std::string& script : scripts) {
    for (const std::string& value : nasty_values()) {
      std::string expected = "<" + value + ">";
      if (script.find("%s.") != std::string::npos) expected = "<" + value + ".>";
      if (script.find("\\\\\"\"") != std::string::npos) expected = "<\\" + value + ">";
      EXPECT_EQ(run(script, value), expected) << script;
    }
  }
}

TEST_P(shell_script_test, text_around_a_placeholder_stays) {
  EXPECT_EQ(run(show + "a{}b 'c {} d' \"e {} f\"", "x y"), "<ax yb><c x y d><e x y f>");
  EXPECT_EQ(run(show + "\"a $(echo \"<{}>\" '{}') b\"", "x  y"), "<a <x  y> x  y b>");
  EXPECT_EQ(run(show + "\"a `echo {}` b\"", "x y"), "<a x y b>");
  EXPECT_EQ(run(show + "$(( ( {} + 1 ) * 2 ))x{}", "20"), "<42x20>");
  EXPECT_EQ(run(show + "\"'{}'\" '\"{}\"'", "x y"), "<'x y'><\"x y\">");
}

TEST_P(shell_script_test, dollars_and_backslashes_before_a_placeholder_are_ordinary) {
  EXPECT_EQ(run(show + "${} \"${}\" '${}'", "HOME"), "<$HOME><$HOME><$HOME>");
  EXPECT_EQ(run(show + "\\${} \"\\${}\"", "HOME"), "<$HOME><$HOME>");
  EXPECT_EQ(run(show + "\\{} \"\\{}\" '\\{}'", "a"), "<a><\\a><\\a>");
  EXPECT_EQ(run(show + "\\\\{} \"\\\\{}\"", "a b"), "<\\a b><\\a b>");
  EXPECT_EQ(run("test $${} = \"$$\"{} && echo same", "x"), "same\n");
}

TEST_P(shell_script_test, numbered_parameters_belong_to_the_shell) {
  EXPECT_EQ(run("f() { " + show + "\"${1}\" \"${2}\" \"${#}\"; }; f '{1}' x", "a b"),
            "<a b><x><2>");
  EXPECT_EQ(run(show + "\"$#\" \"$1\" {}", "v"), "<0><><v>");
}

TEST_P(shell_script_test, text_for_other_languages_stays) {
  EXPECT_EQ(run("echo {} | awk '{print $2}'", "a"), "\n");
  EXPECT_EQ(run("x={}; echo ${x%.*} ${#x}", "a.b"), "a 3\n");
  EXPECT_EQ(run("awk 'BEGIN { print \"{}\" }'", "v w"), "v w\n");
}

TEST_P(shell_script_test, several_items_are_words_but_one_word_in_quotes) {
  const std::vector<item> items = {{{"a b", "1"}}, {{"c'", "2"}}};
  EXPECT_EQ(run(show, items), "<a b><1><c'><2>");
  EXPECT_EQ(run(show + "{} '<{}>' \"{}\"", items), "<a b><1><c'><2><<a b 1 c' 2>><a b 1 c' 2>");
  EXPECT_EQ(run(show + "{3} {1}-{9}", items), "<c'><a b->");
}

TEST_P(shell_script_test, separators_and_word_splitting_of_the_script_do_not_matter) {
  EXPECT_EQ(run("IFS=:; " + show + "{} \"{}\"", std::vector<item>{{{"a:b"}}, {{"c d"}}}),
            "<a:b><c d><a:b c d>");
}

TEST_P(shell_script_test, numbers_and_parts_are_placed_too) {
  EXPECT_EQ(run(show + "{#} {%} {/.} \"{//}\" $x{#}y", "d/a b.c"), "<7><3><a b><d><7y>");
}

TEST_P(shell_script_test, more_values_than_digits_can_count) {
  std::vector<item> items;
  for (int i = 1; i <= 1200; ++i) items.push_back({{std::to_string(i) + " '"}});
  EXPECT_EQ(run("echo {1200} $(printf '%s\\n' {} | wc -l)", items), "1200 ' 1200\n");
}

TEST_P(shell_script_test, places_that_are_not_understood_run_nothing) {
  const std::string attacks[] = {"$(echo ran >&2)",  "`echo ran >&2`", "'; echo ran; '",
                                 "\"; echo ran; \"", "\necho ran\n",   "E\necho ran",
                                 "); echo ran; (",   "}; echo ran; {"};
  const std::string scripts[] = {
      "cat <<E\n{}\nE",
      "cat <<'E'\n'{}' \"{}\"\nE",
      "true # don't {}\ntrue {}",
      "true # {}",
      "true \"$(case x in x) echo {};; esac)\" {}",
      "true \"`echo \\\"{}\\\"`\" {}",
      "true \"`echo \\`echo {}\\``\" '{}'",
      "true \"${x:-'{}'}\" '{}'",
      "true \"${x#'{}'}\" \"{}\"",
      "true ${x:-`echo '{}'`}{}",
  };
  for (const std::string& script : scripts) {
    for (const std::string& attack : attacks) {
      const std::string output = "\n" + run(script, attack) + "\n";
      EXPECT_EQ(output.find("\nran\n"), std::string::npos) << script << '\n' << output;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(shells, shell_script_test, ::testing::Values("sh", "bash"));

TEST(shell_script_command_test, a_script_without_values_is_all_there_is) {
  EXPECT_EQ(shell_script("echo hi").command({}, {}), (words{"sh", "-c", "echo hi"}));
}

TEST(shell_script_command_test, values_are_arguments_and_no_part_of_the_script) {
  const words argv = shell_script("echo '{}' {}").command({{{"secret"}}}, {});
  EXPECT_EQ(argv,
            (words{"sh", "-c", "_1=${1}; set --; echo ''\"${_1}\"'' \"${_1}\"", "sh", "secret"}));
}

TEST(shell_script_command_test, numbers_alone_place_no_item_and_none_is_appended) {
  EXPECT_FALSE(shell_script("echo {#} {%}").places_items());
  EXPECT_EQ(shell_script("echo {#}").line({{{"a"}}}, {7, 3}), "echo 7");
  EXPECT_FALSE(shell_script("echo ${1}").places_items());
  EXPECT_TRUE(shell_script("echo '{2}'").places_items());
}

TEST(shell_script_command_test, the_line_for_people_has_the_same_effect) {
  for (const std::string text :
       {"printf '<%s>' {} '{}' \"{}\"", "printf '<%s>' \"$(printf %s {})x\"", "printf '<%s>'"}) {
    const shell_script script(text);
    for (const std::string& value : nasty_values()) {
      const std::vector<item> items = {{{value}}};
      EXPECT_EQ(output_of({"sh", "-c", script.line(items, {})}),
                output_of(script.command(items, {})))
          << script.line(items, {});
    }
  }
  EXPECT_EQ(shell_script("wc -l {} >{#}.out").line({{{"a b"}}}, {4, 1}), "wc -l 'a b' >4.out");
}

TEST(shell_quote_test, plain_words_stay_and_others_are_quoted) {
  for (const char* word : {"a", "a/b.c", "--x=y", "user@host:1", "100%", "a,b", "x+y_z"}) {
    EXPECT_EQ(shell_quote(word), word);
  }
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("a b"), "'a b'");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quote("~"), "'~'");
}

TEST(shell_quote_test, a_shell_reads_back_what_was_quoted) {
  for (const std::string& value : nasty_values()) {
    const words argv = {"printf", "<%s>", value, value};
    EXPECT_EQ(output_of({"sh", "-c", shell_line(argv)}), "<" + value + "><" + value + ">");
  }
}

TEST(shell_quote_test, a_first_word_that_would_be_syntax_is_quoted) {
  EXPECT_EQ(shell_line({"a=b", "a=b", "if"}), "'a=b' a=b if");
  EXPECT_EQ(shell_line({"if", "x"}), "'if' x");
  EXPECT_EQ(shell_line({}), "");
}

}  // namespace
}  // namespace runnel_cli
