#pragma once

// The traceparent field of W3C Trace Context (https://www.w3.org/TR/trace-context/, section 3.2).
// Pure; any thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// The trace-id of a request with one valid traceparent, 32 lower-case hex digits; else empty.
std::string_view trace_id(const Head& head);

/// A version 00 traceparent with the sampled flag. REQUIRES: `trace_id` has 32 lower-case hex
/// digits and is not all zeros, `parent_id` is not 0.
std::string make_traceparent(std::string_view trace_id, std::uint64_t parent_id);

}  // namespace holdfast::http
