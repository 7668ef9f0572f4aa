#pragma once

// HTTP/1.1 message heads: strict parsing into values that point into the caller's buffer. No
// sockets, no allocation after the first use of a head object (its field list keeps its capacity).
// What is forwarded is always serialised afresh from these values (serialize.h), never copied.
//
// Pure; any thread. The buffer must stay where it is, unchanged, as long as the head is read.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace holdfast::http {

struct Field {
  std::string_view name;
  /// Without surrounding whitespace.
  std::string_view value;
};

/// How a message's end is known (RFC 9112 section 6.3).
enum class Framing : std::uint8_t {
  kNone,
  kLength,
  kChunked,
  /// Responses only: until the connection ends.
  kUntilClose,
};

/// True for two field names or tokens that differ at most in ASCII case.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// True when the comma-separated list `value` has `token`, ignoring case (RFC 9110 section 5.6.1).
bool list_has_token(std::string_view value, std::string_view token);

/// The fields of a message in order, and what every message has in common.
struct Head {
  std::vector<Field> fields;
  /// 0 or 1: HTTP/1.minor_version.
  int minor_version = 1;
  Framing framing = Framing::kNone;
  /// For Framing::kLength; also what HEAD and 304 responses state, when they do.
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  /// The sender lets the connection be used again after this message.
  bool keep_alive = true;

  /// Bytes of a body follow, or may follow.
  [[nodiscard]] bool has_body() const {
    return framing != Framing::kNone && !(framing == Framing::kLength && content_length == 0);
  }
  /// The first field of that name, or nullptr.
  [[nodiscard]] const Field* find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// True when any field of that name has `token` in its comma-separated list.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
};

struct RequestHead : Head {
  std::string_view method;
  /// What is forwarded as request-target, byte for byte: origin-form, or "*" for OPTIONS. From an
  /// absolute form without a path it is "/", or "?query", before which the serializer writes "/".
  std::string_view target;
  /// `target` up to the query; never empty.
  std::string_view path;
  /// Host and port to forward as Host and to route by: the authority of an absolute-form target,
  /// else the Host field; empty only for HTTP/1.0 requests without either.
  std::string_view authority;
  /// `authority` without port and without a trailing dot; case as sent.
  std::string_view host;
  /// "Expect: 100-continue".
  bool expects_continue = false;
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

enum class ParseState : std::uint8_t { kNeedMore, kDone, kError };

/// Why a head was refused; for log and metric labels (to_string) and for the status of the answer.
enum class HeadError : std::uint8_t {
  kNone,
  kRequestLineTooLong,
  kFieldTooLong,
  kHeadTooLong,
  kTooManyFields,
  kBadRequestLine,
  kBadStatusLine,
  kBadMethod,
  kConnectMethod,
  kBadTarget,
  kBadVersion,
  kBadField,
  kBadHost,
  kBadContentLength,
  kBadTransferEncoding,
  kUnknownTransferCoding,
  kLengthAndTransferEncoding,
  kUnderscoreField,
};

/// "bad_host", ...: bounded, snake_case.
const char* to_string(HeadError error);

struct ParseResult {
  ParseState state = ParseState::kNeedMore;
  /// kDone: the bytes of the head, the empty line included (and a tolerated empty line before it).
  std::size_t head_bytes = 0;
  HeadError error = HeadError::kNone;
  /// kError: the status to answer with (400, 405, 414, 431, 501, 505; 502 for any bad response).
  int status = 0;
};

/// Parses the head at the front of `bytes`, all of it received so far; they may be elsewhere in
/// memory at the next call. `scanned` starts at 0 for each message and is this parser's own note of
/// how far it looked, no number for anyone else, so that a trickled head costs linear time.
/// Breaches of a limit (limits.h) are found as soon as they are in `bytes`, other errors at the
/// latest when the head is complete. Rules: RFC 9112 sections 2 to 6; each row of the tests names
/// its own.
ParseResult parse_request_head(std::string_view bytes, std::size_t& scanned, RequestHead& head);

/// The same for a response; kError means 502 and that the connection must not be used again.
/// `request_is_head`: the response answers a HEAD request and so has no body.
ParseResult parse_response_head(std::string_view bytes, std::size_t& scanned, bool request_is_head,
                                ResponseHead& head);

}  // namespace holdfast::http
