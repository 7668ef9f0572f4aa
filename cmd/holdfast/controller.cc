#include "command.h"
#include "run.h"

namespace holdfast {
namespace {

void add_flags_of_controller(CLI::App& app, Options& options) {
  // Beside a proxy in one pod, which has the other port.
  options.admin_listen = "127.0.0.1:10255";
  options.access_log = "off";
  add_discovery_listen_flag(app, options);
  add_control_plane_flags(app, options);
  add_dns_flag(app, options);
  add_cluster_flags(app, options);
  add_manifests_flag(app, options, false);
  add_common_flags(app, options);
}

int run_controller(const Options& options) {
  base::StatusOr<ControlPlaneOptions> control = control_plane_options(options);
  if (!control.ok()) return usage_error(control.status());
  return run(options, *std::move(control), false);
}

}  // namespace

Command controller_command() {
  return {"controller", "control plane alone: feeds proxies over --discovery-listen",
          add_flags_of_controller, run_controller};
}

}  // namespace holdfast
