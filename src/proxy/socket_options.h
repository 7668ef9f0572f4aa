#pragma once

namespace holdfast::proxy {

/// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT as limits.h says. On a listening socket: for every
/// connection accepted from it. Returns 0 or an errno value.
int set_tcp_options(int descriptor);

/// Closing the descriptor will reset the connection: what is not acknowledged is lost, and the peer
/// knows that it is.
void reset_on_close(int descriptor);

/// True for the errno values that mean that the process or the machine has no more sockets to give:
/// descriptors or memory.
bool is_exhaustion(int error);

}  // namespace holdfast::proxy
