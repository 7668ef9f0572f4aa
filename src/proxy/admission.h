#pragma once

// Who may come in, decided before an endpoint is chosen: by the client's address, and for a
// WebSocket handshake by its Origin (RFC 6455 section 10.2). Pure; any thread.

#include "base/ip_address.h"
#include "http/head.h"
#include "proxy/close_reason.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// kNone: let in; else kAddressRefused or kOriginRefused.
CloseReason check_admission(const Admission& admission, const base::IpAddress& client,
                            const http::RequestHead& request, bool upgrade);

}  // namespace holdfast::proxy
