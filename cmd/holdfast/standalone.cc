#include "command.h"
#include "run.h"

namespace holdfast {
namespace {

void add_flags_of_standalone(CLI::App& app, Options& options) {
  add_manifests_flag(app, options, true);
  add_data_plane_flags(app, options);
  add_control_plane_flags(app, options);
  add_dns_flag(app, options);
  add_common_flags(app, options);
}

int run_standalone(const Options& options) {
  if (options.manifests.empty()) {
    return usage_error(absl::InvalidArgumentError("--manifests: the name is empty"));
  }
  base::StatusOr<ControlPlaneOptions> control = control_plane_options(options);
  if (!control.ok()) return usage_error(control.status());
  return run(options, *std::move(control), true);
}

}  // namespace

Command standalone_command() {
  return {"standalone", "a folder of manifests instead of a cluster", add_flags_of_standalone,
          run_standalone};
}

}  // namespace holdfast
