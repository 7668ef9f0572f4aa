#include "http/framing.h"

#include <limits>

#include "http/chars.h"

namespace holdfast::http {
namespace {

bool parse_decimal(std::string_view digits, std::uint64_t& value) {
  if (digits.empty()) return false;
  std::uint64_t sum = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (sum > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return false;
    sum = sum * 10 + digit;
  }
  value = sum;
  return true;
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if ((char_class(c) & kToken) == 0) return false;
  }
  return !text.empty();
}

/// Tells a coding list that is merely unknown to us ("gzip, chunked": 501) from one that leaves the
/// length in doubt (400).
HeadError judge_codings(const Head& head) {
  std::size_t unknown = 0;
  std::size_t chunked = 0;
  bool chunked_is_last = false;
  for (const Field& field : head.fields) {
    if (!equal_ignoring_case(field.name, "transfer-encoding")) continue;
    std::string_view list = field.value;
    do {
      const std::string_view element = take_element(list);
      const std::string_view coding = trim(element.substr(0, element.find(';')));
      if (!is_token(coding)) return HeadError::kBadTransferEncoding;
      chunked_is_last = equal_ignoring_case(element, "chunked");
      ++(equal_ignoring_case(coding, "chunked") ? chunked : unknown);
    } while (!list.empty());
  }
  return chunked_is_last && chunked == 1 && unknown > 0 ? HeadError::kUnknownTransferCoding
                                                        : HeadError::kBadTransferEncoding;
}

/// REQUIRES: facts.transfer_encodings > 0.
HeadError check_transfer_encoding(const FieldFacts& facts, const Head& head) {
  // RFC 9112 section 6.1: in HTTP/1.0 the framing is faulty whatever it says.
  if (head.minor_version == 0) return HeadError::kBadTransferEncoding;
  if (facts.transfer_encodings == 1 && equal_ignoring_case(facts.transfer_encoding, "chunked")) {
    return HeadError::kNone;
  }
  return judge_codings(head);
}

HeadError read_content_length(const FieldFacts& facts, Head& head) {
  if (facts.content_lengths == 0) return HeadError::kNone;
  if (facts.content_lengths > 1 || !parse_decimal(facts.content_length, head.content_length)) {
    return HeadError::kBadContentLength;
  }
  head.has_content_length = true;
  return HeadError::kNone;
}

}  // namespace

HeadError frame_request(const FieldFacts& facts, RequestHead& head) {
  // A 1.0 client's keep-alive may come from a proxy that does not know the option (RFC 9112 9.3).
  head.keep_alive = head.minor_version == 1 && !facts.close;
  if (facts.transfer_encodings > 0) {
    if (facts.content_lengths > 0) return HeadError::kLengthAndTransferEncoding;
    head.framing = Framing::kChunked;
    return check_transfer_encoding(facts, head);
  }
  const HeadError error = read_content_length(facts, head);
  head.framing = head.has_content_length ? Framing::kLength : Framing::kNone;
  return error;
}

HeadError frame_response(const FieldFacts& facts, bool request_is_head, ResponseHead& head) {
  head.keep_alive = !facts.close && (head.minor_version == 1 || facts.keep_alive);
  if (facts.transfer_encodings > 0) {
    const HeadError error = check_transfer_encoding(facts, head);
    if (error != HeadError::kNone) return error;
    head.framing = Framing::kChunked;
    if (facts.content_lengths > 0) {
      // RFC 9112 section 6.3: Transfer-Encoding overrides. Such a sender's next response is not
      // worth the risk.
      std::erase_if(head.fields, [](const Field& field) {
        return equal_ignoring_case(field.name, "content-length");
      });
      head.keep_alive = false;
    }
  } else {
    const HeadError error = read_content_length(facts, head);
    if (error != HeadError::kNone) return error;
    head.framing = head.has_content_length ? Framing::kLength : Framing::kUntilClose;
  }
  const bool never_has_body = head.status < 200 || head.status == 204;
  if (never_has_body && (head.framing == Framing::kChunked || head.content_length > 0)) {
    // The sender states a body where there is none; it may well send one.
    head.keep_alive = false;
  }
  if (never_has_body || head.status == 304 || request_is_head) head.framing = Framing::kNone;
  if (head.framing == Framing::kUntilClose) head.keep_alive = false;
  return HeadError::kNone;
}

}  // namespace holdfast::http
