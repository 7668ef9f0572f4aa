#pragma once

// The flags of the discovery stream, of both ends.

#include "base/status.h"
#include "discovery/client.h"
#include "discovery/server.h"
#include "options.h"

namespace holdfast {

/// Addresses, and certificates as they are on disk now. The error is a sentence that names the
/// flag.
base::Status check_discovery_flags(const Options& options);

// REQUIRES, for both: check_discovery_flags() succeeded.
discovery::ServerSecurity server_security(const Options& options);
discovery::ChannelSecurity channel_security(const Options& options);

}  // namespace holdfast
