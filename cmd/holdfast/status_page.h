#pragma once

// /debug/status: what `holdfast status` shows, as JSON.

#include <string>

#include "admin/server.h"
#include "control_plane.h"
#include "data_plane.h"

namespace holdfast {

/// `control` and `data` may be null: what is theirs is then left out. The query filters the
/// connections, as that of /debug/connections does. 503: a thread is busy.
admin::Answer status_page(const ControlPlane* control, const DataPlane* data,
                          const std::string& query);

}  // namespace holdfast
