#pragma once

// The forms of the annotations that are neither a duration, a number nor a word. Pure. Errors are
// half a sentence that quotes what is wrong.

#include <string_view>

#include "base/status.h"
#include "controller/annotations.h"

namespace holdfast::controller {

base::Status set_cookie_name(Draft& draft, std::string_view text);
base::Status set_cookie_path(Draft& draft, std::string_view text);

/// "client-address", "path", "header:NAME", "cookie:NAME", "query:NAME", or "none".
base::Status set_hash_by(Draft& draft, std::string_view text);

/// "NAME:PORT", the port by number or by name.
base::Status set_websocket_service(Draft& draft, std::string_view text);

/// A comma-separated list of origins, "*.": one level, "same-origin", "null". Entries that are none
/// are left out.
base::Status set_allowed_origins(Draft& draft, std::string_view text);

/// Comma-separated lists of addresses and blocks. Of an allow list, entries that are none are left
/// out, and where none is left nobody passes; a deny list with such an entry denies everybody.
base::Status set_allow_cidrs(Draft& draft, std::string_view text);
base::Status set_deny_cidrs(Draft& draft, std::string_view text);
void deny_everybody(model::v1::RoutePolicy& policy);

/// A line for each field: "Name: value" sets it, "-Name" removes it.
base::Status set_request_headers(Draft& draft, std::string_view text);
base::Status set_response_headers(Draft& draft, std::string_view text);

base::Status set_upstream_host(Draft& draft, std::string_view text);
base::Status set_rewrite_prefix(Draft& draft, std::string_view text);
/// A DNS name or an IP address, in any case.
base::Status set_upstream_tls_name(Draft& draft, std::string_view text);
/// "NAME", "NAMESPACE/NAME" or "none". Where it is wrong nobody is trusted.
base::Status set_upstream_tls_secret(Draft& draft, std::string_view text);
base::Status set_client_ca_secret(Draft& draft, std::string_view text);

/// A path, or "none".
base::Status set_health_path(Draft& draft, std::string_view text);

}  // namespace holdfast::controller
