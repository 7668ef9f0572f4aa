#pragma once

// Heads out: what we forward. Everything hop-by-hop is left out here
// and nowhere else (RFC 9110 section 7.6.1): Connection and what it names, Keep-Alive,
// Proxy-Connection, TE, Transfer-Encoding, Trailer, Upgrade, HTTP2-Settings, Content-Length
// (framing is written afresh). Fields that Connection names and that the exchange itself stands on
// (Host, Cookie, Authorization, Content-*, Sec-*, X-Forwarded-* and the like) are kept: naming them
// there is an attack, not a wish. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// What a forwarded request gets besides its own end-to-end fields.
struct RequestForwarding {
  /// Framing of the body that follows: kNone, kLength (head.content_length) or kChunked.
  Framing framing = Framing::kNone;
  /// Write "Connection: Upgrade" and "Upgrade: websocket".
  bool websocket_upgrade = false;
  /// Written after hop-by-hop removal; incoming fields of the same name (with '-' and '_' alike)
  /// are dropped. A field with an empty value is only dropped.
  std::span<const Field> set = {};
  /// The Host field; empty: the head's authority.
  std::string_view host = {};
  /// The request-target; empty: the head's.
  std::string_view target = {};
};

/// Times that we have forwarded this request already, as its Via fields say (RFC 9110 section
/// 7.6.3).
std::size_t own_hops(const RequestHead& head);

/// Max-Forwards of an OPTIONS or TRACE request (RFC 9110 section 7.6.2): how often it may still be
/// forwarded. Absent for other methods, without the field, and for a value that is no number.
std::optional<std::uint64_t> hops_left(const RequestHead& head);

/// Appends the request line, Host first (empty where the request named none),
/// end-to-end fields in order, `set`, Via ("1.1 holdfast"; 1.0 for a 1.0 request), framing, and the
/// empty line.
void append_request_head(std::string& out, const RequestHead& head,
                         const RequestForwarding& forwarding);

struct ResponseForwarding {
  Framing framing = Framing::kNone;
  /// "Connection: close", which Framing::kUntilClose implies. REQUIRES: true for HTTP/1.0 requests,
  /// after which no connection is kept.
  bool close = false;
  /// A validated 101: write "Connection: Upgrade" and "Upgrade: websocket"; no framing fields.
  bool websocket_upgrade = false;
  /// IMF-fixdate of now, added when the response has no Date.
  std::string_view date = {};
  /// As RequestForwarding::set. Not of framing, hop-by-hop or handshake.
  std::span<const Field> set = {};
  /// Written beside what the response has of these names.
  std::span<const Field> add = {};
};

/// Appends the status line (always HTTP/1.1) and fields likewise. A 1xx and a 204 get no framing
/// field; HEAD and 304 answers keep the Content-Length that they state (framing kNone). A 426 that
/// asks for websocket keeps asking (RFC 9110 section 15.5.22). No Via: a gateway may leave it out
/// here.
void append_response_head(std::string& out, const ResponseHead& head,
                          const ResponseForwarding& forwarding);

/// The standard phrase of a status code, or "Unknown".
std::string_view reason_phrase(int status);

/// "Tue, 24 Nov 2026 00:12:00 GMT" for seconds since 1970 (RFC 9110 section 5.6.7).
std::string format_date(std::int64_t unix_seconds);

}  // namespace holdfast::http
