#pragma once

// What we answer ourselves: a short page for a person or a program. Pure; any thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// What Allow says (RFC 9110 section 10.2.1): everything that is forwarded and known by name.
inline constexpr std::string_view kAllowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

enum class AnswerFormat : std::uint8_t { kJson, kHtml };

/// What the Accept fields of a request like better (RFC 9110 section 12.5.1); JSON unless it is
/// HTML, so that browsers get a page and programs an object.
AnswerFormat preferred_format(const Head& request);

/// An answer with a small body, in whole. A 426 gets "Upgrade: websocket" and a 405 Allow by itself
/// (RFC 9110 sections 15.5.22 and 15.5.6).
struct OwnAnswer {
  int status = 0;
  /// One short sentence for a person; nothing of our inside. REQUIRES: nothing that HTML escapes.
  std::string_view sentence;
  /// Likewise.
  std::string_view request_id;
  /// Extra fields, such as Retry-After or Sec-WebSocket-Version; not Connection and not Upgrade.
  std::span<const Field> set;
  AnswerFormat format = AnswerFormat::kJson;
  bool close = false;
  bool request_is_head = false;
  /// IMF-fixdate of now.
  std::string_view date;
};
void append_own_answer(std::string& out, const OwnAnswer& answer);

}  // namespace holdfast::http
