#pragma once

// The access log's lines: one a plain request, one at the open and one at the close of each
// WebSocket. Every field is escaped; every line is one JSON object. Pure.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "proxy/close_reason.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// A request, whether it was answered, refused or became a WebSocket. Absent texts are empty.
struct RequestLine {
  std::string id;
  std::string client;
  std::string_view method;
  std::string_view host;
  std::string_view target;
  std::string_view user_agent;
  /// Of the traceparent for the pod; empty: there is none, or it is the request's id.
  std::string_view trace_id;
  int minor_version = 1;
  /// Null before a route was found.
  const RoutePolicy* policy = nullptr;
  std::string_view endpoint;
  /// The status sent; 0: none.
  int status = 0;
  CloseReason reason = CloseReason::kNone;
  /// More of the reason, such as which rule of HTTP was broken.
  std::string_view detail;
  base::Duration duration{};
  /// Body bytes by direction.
  std::array<std::uint64_t, kDirectionCount> bytes{};
  bool websocket_opened = false;
};
std::string to_line(const RequestLine& request, base::WallTime now);

struct WebSocketClose {
  std::string id;
  std::string client;
  const RoutePolicy* policy = nullptr;
  std::string_view endpoint;
  CloseReason reason = CloseReason::kNone;
  /// The close code that passed; 0: no Close frame did.
  std::uint16_t code = 0;
  base::Duration open_for{};
  std::array<std::uint64_t, kDirectionCount> bytes{};
  std::array<std::uint64_t, kDirectionCount> messages{};
};
std::string to_line(const WebSocketClose& closed, base::WallTime now);

}  // namespace holdfast::proxy
