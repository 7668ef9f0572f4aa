#pragma once

namespace holdfast::proxy {

/// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT as limits.h says. On a listening socket: for every
/// connection accepted from it. Returns 0 or an errno value.
int set_tcp_options(int descriptor);

}  // namespace holdfast::proxy
