#pragma once

// Base64 (RFC 4648 section 4) as Kubernetes writes it. Private to the room. Pure.

#include <string>

#include "base/status.h"

namespace holdfast::kube {

/// White space is skipped. The error says "not base64" and nothing of the text.
base::StatusOr<std::string> decode_base64(std::string text);

}  // namespace holdfast::kube
