#include "controller/sidecar.h"

#include "command.h"
#include "run.h"

namespace holdfast {
namespace {

void add_flags_of_sidecar(CLI::App& app, Options& options) {
  add_sidecar_flags(app, options);
  add_common_flags(app, options);
}

int run_sidecar(const Options& options) {
  const std::vector<std::pair<std::string_view, std::string_view>> settings(
      options.settings.begin(), options.settings.end());
  auto configuration = controller::sidecar_configuration(options.upstream, settings);
  if (!configuration.ok()) return usage_error(configuration.status());
  for (const std::string& warning : configuration->warnings) {
    say(absl::InvalidArgumentError(warning));
  }
  Options data_plane = options;
  data_plane.http_listen = listen_addresses(options);
  return run_with(data_plane, std::move(configuration->transaction));
}

}  // namespace

Command sidecar_command() {
  return {"sidecar", "beside an application's container: flags instead of a controller",
          add_flags_of_sidecar, run_sidecar};
}

}  // namespace holdfast
