#pragma once

// The rules of the WebSocket opening handshake over HTTP/1.1 (RFC 6455 sections 4.1, 4.2; RFC 9110
// section 7.8), for an intermediary. Pure; any thread.

#include <array>
#include <string_view>

#include "http/head.h"

namespace holdfast::websocket {

enum class UpgradeCheck : unsigned char {
  /// Not an upgrade to websocket: an ordinary request (its Upgrade field is dropped).
  kNone,
  kValid,
  /// Not GET, HTTP/1.0, a body, no or a bad or a second key: 400.
  kBad,
  /// Sec-WebSocket-Version missing or not 13: 426 with Sec-WebSocket-Version: 13.
  kBadVersion,
};

/// What kind of request this is. An upgrade is asked for when Connection has "upgrade" and Upgrade
/// has "websocket". HTTP/1.0 is refused as RFC 6455 section 4.2.1 asks, where RFC 9110 section 7.8
/// would ignore its Upgrade field: who asks for a WebSocket should hear that it gets none.
UpgradeCheck check_upgrade_request(const http::RequestHead& head);

/// Base64(SHA-1(key + GUID)), RFC 6455 section 4.2.2. Zero bytes, which no field value holds and so
/// no 101 matches, should libcrypto have no SHA-1.
std::array<char, 28> accept_value(std::string_view key);

/// Why a 101 is not one.
enum class SwitchCheck : unsigned char {
  kValid,
  kNoUpgrade,
  kNoConnection,
  kBadAccept,
  /// A subprotocol that was not offered, or two.
  kBadProtocol,
  /// An extension that was not offered.
  kBadExtension,
};
/// "bad_accept", ...
const char* to_string(SwitchCheck check);

/// REQUIRES: check_upgrade_request(request) == kValid and response.status == 101.
SwitchCheck check_switch(const http::RequestHead& request, const http::ResponseHead& response);

}  // namespace holdfast::websocket
