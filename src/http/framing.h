#pragma once

// What the fields of a message say about its end and its connection (RFC 9112 sections 6.1 to 6.3
// and 9.3). Pure; any thread.

#include <cstdint>
#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// What the framing rules need of the fields, gathered while they are parsed.
struct FieldFacts {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  std::uint32_t hosts = 0;
  std::uint32_t content_lengths = 0;
  std::uint32_t transfer_encodings = 0;
  std::uint32_t connection_options = 0;
  bool close = false;
  bool keep_alive = false;
  bool expects_continue = false;
};

/// Sets framing, content_length and keep_alive. kNone: fine.
HeadError frame_request(const FieldFacts& facts, RequestHead& head);

/// The same; may remove Content-Length from head.fields. REQUIRES: head.status is set.
HeadError frame_response(const FieldFacts& facts, bool request_is_head, ResponseHead& head);

}  // namespace holdfast::http
