// The command-line tool `runnel`: parses the arguments and runs one subcommand.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "command.hpp"
#include "map/supervise.hpp"
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

// Whether the value of the option that `argument` ends with is the next argument.
bool wants_next(const CLI::App& app, const std::string& argument) {
  const bool is_long = argument.starts_with("--");
  if (is_long && argument.find('=') != std::string::npos) return false;
  if (is_long) {
    const CLI::Option* option = app.get_option_no_throw(argument);
    return option != nullptr && option->get_items_expected_min() > 0;
  }
  // Short options in one argument: the first that takes a value takes what is left of it.
  for (std::size_t i = 1; i < argument.size(); ++i) {
    const CLI::Option* option = app.get_option_no_throw(std::string("-") + argument[i]);
    if (option == nullptr) return false;
    if (option->get_items_expected_min() > 0) return i + 1 == argument.size();
  }
  return false;
}

// The arguments up to where the options of `c` end; what stands behind that goes to its `rest`.
std::vector<std::string> own_arguments(const command* c, std::vector<std::string> arguments) {
  if (c == nullptr || c->rest == nullptr) return arguments;
  std::size_t end = 1;  // after the command's name
  while (end < arguments.size()) {
    const std::string& a = arguments[end];
    if (a.size() < 2 || a.front() != '-' || a == "--") break;
    end += wants_next(*c->app, a) ? 2 : 1;
  }
  end = std::min(end, arguments.size());
  const std::size_t rest = end < arguments.size() && arguments[end] == "--" ? end + 1 : end;
  c->rest->assign(arguments.begin() + static_cast<std::ptrdiff_t>(rest), arguments.end());
  arguments.resize(end);
  return arguments;
}

int run_command(const command& c) {
  const auto run = [&] {
    try {
      return c.run();
    } catch (const usage_error& e) {
      return fail_usage(c.app, e.what());
    }
  };
  return c.supervised ? supervised(run) : run();
}

int run_tool(int argc, const char* const* argv) {
  CLI::App app("Go's concurrency model at the shell.", "runnel");
  app.set_version_flag("--version", "runnel " RUNNEL_VERSION, "Print the version and leave");
  const std::vector<command> commands{add_tour(app), add_hash(app), add_map(app)};

  const command* chosen = nullptr;
  try {
    check_command_name(commands, argc, argv);
    for (const command& c : commands) {
      if (c.app->get_name() == argv[1]) chosen = &c;
    }
    std::vector<std::string> arguments = own_arguments(chosen, {argv + 1, argv + argc});
    std::ranges::reverse(arguments);  // as the parser takes them
    app.parse(std::move(arguments));
    if (chosen == nullptr) throw usage_error("no command given");
    return run_command(*chosen);
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

// Without standard streams the next files that are opened would get their numbers, and be written to in their place. What
// stands there instead cannot be read from (written to) either, so that nothing is lost in silence.
void open_closed_streams() {
  constexpr int mode[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = 0; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", mode[fd]);
}

}  // namespace
}  // namespace runnel_cli

int main(int argc, char** argv) {
  runnel_cli::open_closed_streams();
  try {
    return runnel_cli::run_tool(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "runnel: %s\n", e.what());
    return runnel_cli::exit_usage;
  }
}
