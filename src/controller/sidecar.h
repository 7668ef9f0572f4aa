#pragma once

// A sidecar's configuration: everything that comes goes to one upstream. Pure.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/resource.h"

namespace holdfast::controller {

struct SidecarConfiguration {
  model::Transaction transaction;
  /// What a setting does not do: a sentence each, which names the flag.
  std::vector<std::string> warnings;
};

/// `upstream` is "ADDR:PORT" or "unix:/PATH"; `settings` are names and values of annotations of
/// Scope::kEverywhere. The error is one sentence that names the flag.
base::StatusOr<SidecarConfiguration> sidecar_configuration(
    const std::string& upstream,
    std::span<const std::pair<std::string_view, std::string_view>> settings);

}  // namespace holdfast::controller
