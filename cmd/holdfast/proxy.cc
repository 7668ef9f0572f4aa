#include "command.h"
#include "run.h"

namespace holdfast {
namespace {

void add_flags_of_proxy(CLI::App& app, Options& options) {
  add_discovery_flag(app, options);
  add_data_plane_flags(app, options);
  add_state_flag(app, options);
  add_common_flags(app, options);
}

int run_proxy(const Options& options) { return run(options, std::nullopt, true); }

}  // namespace

Command proxy_command() {
  return {"proxy", "data plane alone: fed by a controller over --discovery", add_flags_of_proxy,
          run_proxy};
}

}  // namespace holdfast
