#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

#include "base/utf8.h"
#include "command.h"

namespace holdfast {

void say(const base::Status& status) {
  std::string sentence(status.message());
  while (sentence.ends_with('.') || sentence.ends_with('\n')) sentence.pop_back();
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  std::fprintf(stderr, "holdfast: %s.\n", base::one_line(sentence).c_str());
}

bool print(const std::string& text) {
  errno = 0;
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return true;
  say(absl::DataLossError(std::string("standard output: ") +
                          std::generic_category().message(errno)));
  return false;
}

int usage_error(const base::Status& status) {
  say(status);
  return kExitUsage;
}

namespace {

std::array<Command, 7> commands() {
  return {ingress_command(), controller_command(), proxy_command(), standalone_command(),
          sidecar_command(), status_command(),     check_command()};
}

constexpr const char* kVersionText = "holdfast " HOLDFAST_VERSION;

int refuse(const std::string& sentence) {
  return usage_error(absl::InvalidArgumentError(sentence));
}

/// Parses the rest of the line. `exit_code` is set when there is nothing to run.
bool parse(CLI::App& app, int argc, const char* const* argv, int& exit_code) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::Success& asked) {  // --help, --version
    exit_code = app.exit(asked);
  } catch (const CLI::ParseError& error) {
    exit_code = refuse(error.what());
  }
  return false;
}

int run_command(const Command& command, int argc, const char* const* argv) {
  Options options;
  CLI::App app(command.description, std::string("holdfast ") + command.name);
  app.set_version_flag("--version", kVersionText);
  app.footer("Each flag --some-name can also be given as HOLDFAST_SOME_NAME in the environment.");
  command.add_flags(app, options);
  int exit_code = 0;
  if (!parse(app, argc, argv, exit_code)) return exit_code;
  const base::Status checked = check_addresses(options);
  if (!checked.ok()) return usage_error(checked);
  return command.run(options);
}

/// Without a command there is only --help and --version.
int run_without_command(int argc, const char* const* argv) {
  CLI::App app("Kubernetes ingress for WebSockets", "holdfast COMMAND");
  app.set_version_flag("--version", kVersionText);
  std::string list = "Commands:\n";
  for (const Command& command : commands()) {
    std::string name = command.name;
    name.resize(12, ' ');
    list += "  " + name + command.description + "\n";
  }
  app.footer(list + "\nholdfast COMMAND --help lists the flags of a command.");
  int exit_code = 0;
  if (!parse(app, argc, argv, exit_code)) return exit_code;
  return refuse("a command is missing; holdfast --help lists them");
}

int main_of(int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return run_without_command(argc, argv);
  const std::string_view name = argv[1];
  for (const Command& command : commands()) {
    if (name == command.name) return run_command(command, argc - 1, argv + 1);
  }
  return refuse("there is no command \"" + std::string(name) + "\"; holdfast --help lists them");
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  try {
    return holdfast::main_of(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast: ended by an error that nobody expected: %s.\n", error.what());
    return holdfast::kExitFailed;
  }
}
