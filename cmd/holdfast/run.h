#pragma once

// The order of events that all subcommands share: build, bind, say where, start, wait for a signal,
// stop.

#include <optional>

#include "control_plane.h"
#include "model/resource.h"
#include "options.h"

namespace holdfast {

/// Runs a control plane when `control` is given, a data plane when `with_data_plane`: the latter
/// fed by the former, or else by options.discovery. Returns the exit code. REQUIRES: flags and
/// configuration are checked; at least one plane.
int run(const Options& options, std::optional<ControlPlaneOptions> control, bool with_data_plane);

/// Runs a data plane alone, on a configuration that never changes. Nothing of gRPC is made. Returns
/// the exit code. REQUIRES: as above.
int run_with(const Options& options, model::Transaction configuration);

}  // namespace holdfast
