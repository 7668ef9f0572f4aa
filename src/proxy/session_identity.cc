// Who the client is: the PROXY header before the first request, what each request says of it, and
// how the pod is told.

#include <sys/socket.h>

#include <cerrno>

#include "proxy/proxy_header.h"
#include "proxy/session.h"
#include "proxy/session_wait.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

Task<CloseReason> Session::read_proxy_header() {
  const auto& trusted = worker_.shared().trusted_proxies;
  if (!base::any_contains(trusted, peer_.ip_address())) co_return CloseReason::kUntrustedProxy;
  const base::Instant deadline = worker_.now() + kHeadTimeout;
  ProxyHeader header;
  for (;;) {
    const ProxyHeaderState state = parse_proxy_header(in_.view(), header);
    if (state == ProxyHeaderState::kBad) co_return CloseReason::kBadProxyHeader;
    if (state == ProxyHeaderState::kDone) break;
    if (!co_await wait(kDownstreamReadable, deadline)) co_return CloseReason::kBadProxyHeader;
    const Socket::Result read = in_.receive(*downstream_);
    if (read.bytes > 0 || read.error == EAGAIN) continue;
    // A proxy that only looks whether somebody is there says nothing.
    co_return in_.empty() ? CloseReason::kDownstreamEnded : CloseReason::kBadProxyHeader;
  }
  in_.consume(header.bytes);
  client_unknown_ = header.client_unknown;
  if (header.ends) {
    peer_ = header.ends->source;
    destination_ = header.ends->destination;
    // Nobody connects to port 0, but a proxy may write it (section 2.1) where it does not know.
    if (destination_->port() != 0) listen_port_ = destination_->port();
  }
  co_return CloseReason::kNone;
}

void Session::identify() {
  Exchange& exchange = *exchange_;
  exchange.client = identify_client(exchange.request,
                                    {.peer = peer_.ip_address(),
                                     .port = listen_port_,
                                     .client_unknown = client_unknown_,
                                     .tls = downstream_->tls() != nullptr},
                                    worker_.shared().trusted_proxies);
  if (!exchange.client.request_id.empty()) exchange.id.set_given(exchange.client.request_id);
}

std::string Session::upstream_preamble() {
  std::string preamble;
  if (!has_preamble()) return preamble;
  if (!destination_) {
    sockaddr_storage local = {};
    socklen_t size = sizeof local;
    const bool known =
        ::getsockname(downstream_->descriptor(), reinterpret_cast<sockaddr*>(&local), &size) == 0;
    destination_ = known ? Address(local) : Address({}, listen_port_);
  }
  // Of a client behind another proxy the port is not known.
  const bool is_peer = exchange_->client.address == peer_.ip_address();
  const Address source = is_peer ? peer_ : Address(exchange_->client.address, 0);
  const bool v2 = exchange_->route->settings->forwarding.proxy_protocol == v1::PROXY_PROTOCOL_V2;
  append_proxy_header(preamble, v2 ? ProxyHeaderVersion::kV2 : ProxyHeaderVersion::kV1,
                      {source, *destination_});
  return preamble;
}

}  // namespace holdfast::proxy
