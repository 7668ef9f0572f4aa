#pragma once

// Who may come in, decided before an endpoint is chosen: by the client's address, and for a
// WebSocket handshake by its Origin (RFC 6455 section 10.2). Pure; any thread.

#include "http/head.h"
#include "proxy/client_identity.h"
#include "proxy/close_reason.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// kNone: let in; else kAddressRefused or kOriginRefused. The host whose pages are of the same
/// origin is the one that the client asked for, as a trusted proxy tells it.
CloseReason check_admission(const Admission& admission, const ClientIdentity& client,
                            const http::RequestHead& request, bool upgrade);

}  // namespace holdfast::proxy
