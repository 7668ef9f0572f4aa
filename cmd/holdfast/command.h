#pragma once

// A subcommand: which rooms are wired together, and with which flags.

#include <sysexits.h>

#include "base/status.h"
#include "options.h"

namespace holdfast {

/// Bad flags or configuration: one sentence on standard error, before any port is bound.
inline constexpr int kExitUsage = EX_USAGE;
/// Something failed while running; the log says what.
inline constexpr int kExitFailed = 1;
static_assert(kExitUsage == 64);

struct Command {
  const char* name;
  const char* description;
  /// Also sets the defaults that differ from Options'.
  void (*add_flags)(CLI::App& app, Options& options);
  /// Runs until a signal. Returns the exit code.
  int (*run)(const Options& options);
};

Command check_command();
Command controller_command();
Command ingress_command();
Command proxy_command();
Command sidecar_command();
Command standalone_command();
Command status_command();

/// Prints `status` as one sentence on standard error.
void say(const base::Status& status);

/// Prints on standard output. False, and says why, where that does not take it.
bool print(const std::string& text);

/// The same, and returns kExitUsage.
int usage_error(const base::Status& status);

}  // namespace holdfast
