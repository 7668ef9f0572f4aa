#include "command.h"
#include "run.h"

namespace holdfast {
namespace {

void add_flags_of_ingress(CLI::App& app, Options& options) {
  add_data_plane_flags(app, options);
  add_control_plane_flags(app, options);
  add_dns_flag(app, options);
  add_cluster_flags(app, options);
  add_state_flag(app, options);
  add_common_flags(app, options);
}

int run_ingress(const Options& options) {
  base::StatusOr<ControlPlaneOptions> control = control_plane_options(options);
  if (!control.ok()) return usage_error(control.status());
  return run(options, *std::move(control), true);
}

}  // namespace

Command ingress_command() {
  return {"ingress", "control plane and data plane in one process", add_flags_of_ingress,
          run_ingress};
}

}  // namespace holdfast
