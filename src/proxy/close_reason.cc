#include "proxy/close_reason.h"

#include <algorithm>

namespace holdfast::proxy {

namespace {

constexpr std::array<CloseReasonFacts, kCloseReasonCount> all_facts() {
  using enum CloseReason;
  return {{
      {kNone, "none", Side::kNobody, 0, ""},
      {kCompleted, "completed", Side::kNobody, 0, ""},
      {kDownstreamCloseFrame, "downstream_close", Side::kDownstream, 0, ""},
      {kDownstreamEnded, "downstream_ended", Side::kDownstream, 0, ""},
      {kDownstreamReset, "downstream_reset", Side::kDownstream, 0, ""},
      {kDownstreamStalled, "downstream_stalled", Side::kDownstream, 0, ""},
      {kKeepAliveTimedOut, "keep_alive_timeout", Side::kDownstream, 0, ""},
      {kUntrustedProxy, "untrusted_proxy", Side::kDownstream, 0, ""},
      {kBadProxyHeader, "bad_proxy_header", Side::kDownstream, 0, ""},
      {kTlsFailed, "tls_failed", Side::kDownstream, 0, ""},
      {kTlsTimedOut, "tls_timeout", Side::kDownstream, 0, ""},
      {kTlsCrowdedOut, "tls_crowded_out", Side::kInternal, 0, ""},
      {kHeadTimedOut, "head_timeout", Side::kDownstream, 408,
       "The request took too long to arrive."},
      {kBodyTimedOut, "body_timeout", Side::kDownstream, 408,
       "The request's body took too long to arrive."},
      {kBadRequest, "bad_request", Side::kDownstream, 0, "The request is not valid HTTP/1.1."},
      {kBadPath, "bad_path", Side::kDownstream, 400,
       "The request's path has a \".\" or \"..\" in it."},
      {kBadBody, "bad_body", Side::kDownstream, 400, "The request's body is not valid HTTP/1.1."},
      {kBodyTooLong, "body_too_long", Side::kDownstream, 413,
       "The request's body is longer than this address takes."},
      {kBadUpgrade, "bad_upgrade", Side::kDownstream, 400,
       "The request is not a valid WebSocket handshake."},
      {kBadWebSocketVersion, "bad_websocket_version", Side::kDownstream, 426,
       "Only version 13 of the WebSocket protocol is spoken here."},
      {kMisdirected, "misdirected", Side::kDownstream, 421,
       "This connection is for another host: the request must come on one of its own."},
      {kCertificateWanted, "certificate_wanted", Side::kDownstream, 403,
       "This address is for clients with a certificate."},
      {kLastHop, "last_hop", Side::kInternal, 200, "The request was to go no further than this."},
      {kTraceAtLastHop, "trace_at_last_hop", Side::kDownstream, 405,
       "The request was to go no further than this, and is not echoed."},
      {kLoop, "loop", Side::kInternal, 508, "The request has come around in a circle."},
      {kNotConfigured, "not_configured", Side::kInternal, 503,
       "This server has no configuration yet."},
      {kHttpsRedirect, "https_redirect", Side::kInternal, 308, "This address is served over TLS."},
      {kNoRoute, "no_route", Side::kInternal, 404, "Nothing is served under this address."},
      {kNoEndpoint, "no_endpoint", Side::kInternal, 503,
       "The service has no endpoint ready at the moment."},
      {kAddressRefused, "address_refused", Side::kInternal, 403,
       "Your address may not use this service."},
      {kOriginRefused, "origin_refused", Side::kInternal, 403,
       "The page that this comes from may not use this service."},
      {kAffinityGone, "affinity_gone", Side::kInternal, 503,
       "The part of the service that you were using is gone."},
      {kConnectFailed, "connect_failed", Side::kUpstream, 502, "The service could not be reached."},
      {kConnectTimedOut, "connect_timeout", Side::kUpstream, 504,
       "The service could not be reached in time."},
      {kUpstreamTlsFailed, "upstream_tls_failed", Side::kUpstream, 502,
       "The service could not be reached over TLS."},
      {kUpstreamNoAnswer, "upstream_no_answer", Side::kUpstream, 502,
       "The service closed the connection without an answer."},
      {kUpstreamTimedOut, "upstream_timeout", Side::kUpstream, 504,
       "The service did not answer in time."},
      {kBadResponse, "bad_response", Side::kUpstream, 502,
       "The service's answer is not valid HTTP/1.1."},
      {kBadSwitch, "bad_switch", Side::kUpstream, 502,
       "The service's answer to the WebSocket handshake is not valid."},
      {kUpgradeDeclined, "upgrade_declined", Side::kUpstream, 0, ""},
      {kUpstreamTruncated, "upstream_truncated", Side::kUpstream, 0, ""},
      {kUpstreamCloseFrame, "upstream_close", Side::kUpstream, 0, ""},
      {kUpstreamEnded, "upstream_ended", Side::kUpstream, 0, ""},
      {kUpstreamReset, "upstream_reset", Side::kUpstream, 502,
       "The service closed the connection without an answer."},
      {kUpstreamStalled, "upstream_stalled", Side::kUpstream, 504,
       "The service did not take the request in time."},
      {kIdleTimedOut, "idle_timeout", Side::kInternal, 0, ""},
      {kHalfCloseTimedOut, "half_close_timeout", Side::kInternal, 0, ""},
      {kDescriptorsExhausted, "descriptors_exhausted", Side::kInternal, 503,
       "Too many connections are open at the moment."},
      {kPortsExhausted, "ports_exhausted", Side::kInternal, 503,
       "Too many connections to the service are open at the moment."},
      {kShutdown, "shutdown", Side::kInternal, 503, "This server is shutting down."},
  }};
}

constexpr auto kFacts = all_facts();

constexpr bool in_order() {
  for (std::size_t i = 0; i < kFacts.size(); ++i) {
    if (static_cast<std::size_t>(kFacts[i].reason) != i) return false;
  }
  return true;
}
static_assert(in_order(), "the table has one row a reason, in the order of the enum");

constexpr std::size_t kLibraryCodes = 15;
constexpr std::size_t kApplicationCodes = 16;
constexpr std::size_t kOtherCodes = 17;
static_assert(kCloseCodeLabels[kLibraryCodes] == "3000-3999" &&
              kCloseCodeLabels[kApplicationCodes] == "4000-4999" &&
              kCloseCodeLabels[kOtherCodes] == "other");

constexpr std::array<std::uint16_t, 14> kNamedCodes = {1000, 1001, 1002, 1003, 1005, 1007, 1008,
                                                       1009, 1010, 1011, 1012, 1013, 1014, 1015};

static_assert(1 + kNamedCodes.size() == kLibraryCodes, "one label a code, behind \"none\"");

}  // namespace

const CloseReasonFacts& facts_of(CloseReason reason) {
  return kFacts[static_cast<std::size_t>(reason)];
}

std::size_t close_code_index(std::uint16_t code) {
  if (code == 0) return 0;
  const auto* const named = std::find(kNamedCodes.begin(), kNamedCodes.end(), code);
  if (named != kNamedCodes.end()) return 1 + static_cast<std::size_t>(named - kNamedCodes.begin());
  if (code >= 3000 && code < 4000) return kLibraryCodes;
  if (code >= 4000 && code < 5000) return kApplicationCodes;
  return kOtherCodes;
}

}  // namespace holdfast::proxy
