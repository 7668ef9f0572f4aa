#pragma once

#include <cstdint>
#include <optional>

#include "base/ip_address.h"
#include "holdfast/discovery/v1/discovery.pb.h"
#include "http/head.h"

namespace holdfast::proxy {

/// A hash of what sends a request to its endpoint, the same in every process; absent when the
/// request has no such header, cookie or parameter. Empty values are values. Pure; any thread.
std::optional<std::uint64_t> hash_key(const discovery::v1::HashBy& hash_by,
                                      const http::RequestHead& request,
                                      const base::IpAddress& client);

}  // namespace holdfast::proxy
