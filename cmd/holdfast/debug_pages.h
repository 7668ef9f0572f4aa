#pragma once

// /readyz, /debug/config and /debug/connections.

#include "admin/server.h"
#include "control_plane.h"
#include "data_plane.h"

namespace holdfast {

/// `control` and `data` may be null: not part of this process. Both outlive the server's thread.
void add_debug_pages(admin::Server& server, const ControlPlane* control, const DataPlane* data);

}  // namespace holdfast
