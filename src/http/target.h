#pragma once

// The request target and the authority that a request is for (RFC 9112 sections 3.2 and 3.3).
// Pure; any thread.

#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// Checks `authority` against uri-host [":" port] (RFC 3986 section 3.2) and gives its host without
/// a trailing dot; an IPv6 address keeps its brackets. Stricter than the RFC, since routing
/// compares names byte by byte: no percent-encoding, no sub-delims, no IPvFuture, a port of at most
/// 65535.
bool parse_authority(std::string_view authority, std::string_view& host);

/// Sets target, path and, for an absolute-form target, authority and host. False: 400.
/// REQUIRES: `target` consists of kTargetChar and is not empty; head.method is set.
bool interpret_target(std::string_view target, RequestHead& head);

}  // namespace holdfast::http
