// The command-line tool `runnel`: parses the arguments and runs one subcommand.
#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "command.hpp"
#include "suggest.hpp"

namespace runnel_cli {
namespace {

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// An argument that nothing takes: a mistyped option, or one argument too many.
std::string describe_extra(const CLI::App& app, const CLI::App* chosen) {
  const CLI::App& scope = chosen != nullptr ? *chosen : app;
  const std::vector<std::string> extras = scope.remaining(true);
  if (extras.empty()) return "an argument was not expected";
  const std::string& first = extras.front();
  if (first.size() < 2 || first.front() != '-') return "unexpected argument '" + first + "'";
  const std::string name = first.substr(0, first.find('='));
  return "unknown option '" + name + "'" + did_you_mean(name, option_names(scope));
}

void check_command_name(const std::vector<command>& commands, int argc, const char* const* argv) {
  if (argc < 2) throw usage_error("no command given");
  const std::string name = argv[1];
  if (!name.empty() && name.front() == '-') return;
  std::vector<std::string> names;
  for (const command& c : commands) {
    if (c.app->get_name() == name) return;
    names.push_back(c.app->get_name());
  }
  throw usage_error("no command '" + name + "'" + did_you_mean(name, names));
}

int fail_usage(const CLI::App* chosen, const std::string& what) {
  const std::string name = chosen != nullptr ? "runnel " + chosen->get_name() : "runnel";
  std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", name.c_str(), what.c_str(), name.c_str());
  return exit_usage;
}

// --help and --version.
int print_what_was_asked(const CLI::App& app, const CLI::ParseError& e) {
  app.exit(e);
  if (std::cout.flush()) return exit_ok;
  std::perror("runnel: write error");
  return exit_failed;
}

int run_tool(int argc, const char* const* argv) {
  CLI::App app("Go's concurrency model at the shell.", "runnel");
  app.set_version_flag("--version", "runnel " RUNNEL_VERSION, "Print the version and leave");
  const std::vector<command> commands{add_tour(app), add_hash(app)};

  const command* chosen = nullptr;
  try {
    check_command_name(commands, argc, argv);
    for (const command& c : commands) {
      if (c.app->get_name() == argv[1]) chosen = &c;
    }
    app.parse(argc, argv);
    if (chosen == nullptr) throw usage_error("no command given");
    return chosen->run();
  } catch (const CLI::ExtrasError&) {
    return fail_usage(chosen != nullptr ? chosen->app : nullptr,
                      describe_extra(app, chosen != nullptr ? chosen->app : nullptr));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return print_what_was_asked(app, e);
    return fail_usage(chosen != nullptr ? chosen->app : nullptr, e.what());
  } catch (const usage_error& e) {
    return fail_usage(chosen != nullptr ? chosen->app : nullptr, e.what());
  }
}

}  // namespace

int parse_count(const std::string& option, const std::string& text, int low, int high) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw usage_error(option + ": '" + text + "' is not a whole number from " +
                      std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

}  // namespace runnel_cli

int main(int argc, char** argv) {
  try {
    return runnel_cli::run_tool(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "runnel: %s\n", e.what());
    return runnel_cli::exit_usage;
  }
}
