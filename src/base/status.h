#pragma once

// Status-or-value for pure code and the control plane. The type is Abseil's, which arrives with
// gRPC; I/O on the data plane uses std::error_code or errno values instead.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace holdfast::base {

using absl::Status;
using absl::StatusOr;

}  // namespace holdfast::base
