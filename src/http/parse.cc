// The start lines, and how a head that comes in pieces is parsed.

#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "http/chars.h"
#include "http/fields.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/limits.h"
#include "http/target.h"

namespace holdfast::http {
namespace {

/// What `scanned` holds between two calls: where the search for the end of the head goes on.
/// Offsets into the bytes; lines count the start line.
struct Note {
  std::uint16_t seen = 0;
  std::uint16_t line = 0;
  std::uint16_t fields = 0;
  std::uint16_t lines = 0;
};
static_assert(sizeof(Note) == sizeof(std::size_t) && kHeadBytesMost < 65536);

/// Goes through what came since the last look, line by line. True when a parse from the start may
/// say more than "need more": the empty line is there, or some limit may be broken.
bool may_decide(std::string_view bytes, Note& note) {
  if (bytes.size() > kHeadBytesMost) return true;
  std::size_t from = note.seen;
  for (;;) {
    const std::size_t end = bytes.find('\n', from);
    if (end == std::string_view::npos) break;
    if (end - note.line <= 1 || end - note.line > kFieldBytesMost) return true;
    from = end + 1;
    note.line = static_cast<std::uint16_t>(from);
    if (note.lines++ == 0) note.fields = note.line;
  }
  note.seen = static_cast<std::uint16_t>(bytes.size());
  static_assert(kRequestLineBytesMost == kFieldBytesMost);
  return bytes.size() - note.line > kFieldBytesMost ||
         (note.lines > kFieldCountMost && bytes.size() > note.line) ||
         (note.fields != 0 && bytes.size() - note.fields > kFieldsBytesMost);
}

/// "HTTP/1.x" and the byte behind it. kDone leaves `at` behind the version.
Progress parse_version(const char* at, const char* end, HeadError otherwise, Head& head) {
  constexpr std::string_view kPattern = "HTTP/d.d";
  const std::size_t size = distance(at, end);
  for (std::size_t i = 0; i < kPattern.size(); ++i) {
    if (i == size) return need_more(at);
    if (kPattern[i] == 'd' ? !is_digit(at[i]) : at[i] != kPattern[i]) return refuse(otherwise);
  }
  if (size == kPattern.size()) return need_more(at);
  if (is_digit(at[8])) return refuse(otherwise);
  if (at[5] != '1') return refuse(HeadError::kBadVersion);
  // RFC 9110 section 2.5: a higher minor version is read as the highest that we know.
  head.minor_version = at[7] == '0' ? 0 : 1;
  return {ParseState::kDone, HeadError::kNone, at + 8};
}

Progress parse_line_end(const char* line, const char* at, const char* end, HeadError otherwise) {
  if (at == end) return need_more(line);
  if (*at != '\r') return refuse(otherwise);
  if (at + 1 == end) return need_more(line);
  if (at[1] != '\n') return refuse(otherwise);
  return {ParseState::kDone, HeadError::kNone, at + 2};
}

Progress parse_method(const char* line, const char* end, RequestHead& head) {
  const char* at = line;
  while (at != end && (char_class(*at) & kToken) != 0) ++at;
  if (distance(line, at) > kRequestLineBytesMost) return refuse(HeadError::kRequestLineTooLong);
  if (at == end) return need_more(line);
  if (at == line || *at != ' ') return refuse(HeadError::kBadMethod);
  head.method = {line, distance(line, at)};
  if (head.method == "CONNECT") return refuse(HeadError::kConnectMethod);
  return {ParseState::kDone, HeadError::kNone, at + 1};
}

/// method SP request-target SP HTTP-version CRLF (RFC 9112 section 3).
Progress parse_request_line(const char* line, const char* end, RequestHead& head) {
  Progress progress = parse_method(line, end, head);
  if (progress.state != ParseState::kDone) return progress;
  const char* target = progress.at;
  const char* at = target;
  while (at != end && (char_class(*at) & kTargetChar) != 0) ++at;
  if (distance(line, at) > kRequestLineBytesMost) return refuse(HeadError::kRequestLineTooLong);
  if (at == end) return need_more(line);
  if (at == target || *at != ' ') return refuse(HeadError::kBadTarget);
  const std::string_view target_text(target, distance(target, at));

  const char* version = at + 1;
  progress = parse_version(version, end, HeadError::kBadRequestLine, head);
  if (progress.state == ParseState::kError) return progress;
  at = progress.state == ParseState::kDone ? progress.at : end;
  if (distance(line, at) > kRequestLineBytesMost) return refuse(HeadError::kRequestLineTooLong);
  if (progress.state == ParseState::kNeedMore) return need_more(line);
  progress = parse_line_end(line, at, end, HeadError::kBadRequestLine);
  if (progress.state == ParseState::kDone && !interpret_target(target_text, head)) {
    return refuse(HeadError::kBadTarget);
  }
  return progress;
}

/// Three digits and the byte behind them. kDone leaves `at` behind the digits.
Progress parse_status(const char* at, const char* end, int& status) {
  status = 0;
  for (int i = 0; i < 3; ++i, ++at) {
    if (at == end) return need_more(at);
    if (!is_digit(*at)) return refuse(HeadError::kBadStatusLine);
    status = status * 10 + (*at - '0');
  }
  if (status < 100 || status > 599) return refuse(HeadError::kBadStatusLine);
  if (at == end) return need_more(at);
  return {ParseState::kDone, HeadError::kNone, at};
}

/// HTTP-version SP status-code [SP reason-phrase] CRLF (RFC 9112 section 4; the second space is
/// required there, and left out by some).
Progress parse_status_line(const char* line, const char* end, ResponseHead& head) {
  Progress progress = parse_version(line, end, HeadError::kBadStatusLine, head);
  if (progress.state != ParseState::kDone) return progress;
  if (*progress.at != ' ') return refuse(HeadError::kBadStatusLine);
  progress = parse_status(progress.at + 1, end, head.status);
  if (progress.state != ParseState::kDone) return progress;
  const char* at = progress.at;
  if (*at == ' ') {
    const char* reason = ++at;
    while (at != end && (char_class(*at) & kValueChar) != 0) ++at;
    head.reason = {reason, distance(reason, at)};
  }
  if (distance(line, at) > kRequestLineBytesMost) return refuse(HeadError::kBadStatusLine);
  return parse_line_end(line, at, end, HeadError::kBadStatusLine);
}

int status_for(HeadError error) {
  switch (error) {
    case HeadError::kRequestLineTooLong:
      return 414;
    case HeadError::kFieldTooLong:
    case HeadError::kHeadTooLong:
    case HeadError::kTooManyFields:
      return 431;
    case HeadError::kConnectMethod:
      return 405;
    case HeadError::kBadVersion:
      return 505;
    case HeadError::kUnknownTransferCoding:
      return 501;
    default:
      return 400;
  }
}

/// Host rules of RFC 9112 section 3.2.
HeadError settle_authority(const FieldFacts& facts, RequestHead& head) {
  if (facts.hosts > 1) return HeadError::kBadHost;
  if (facts.hosts == 0) return head.minor_version == 0 ? HeadError::kNone : HeadError::kBadHost;
  std::string_view host;
  if (!parse_authority(facts.host, host)) return HeadError::kBadHost;
  if (head.authority.empty()) {
    head.authority = facts.host;
    head.host = host;
  }
  return HeadError::kNone;
}

HeadError settle(const FieldFacts& facts, RequestHead& head) {
  const HeadError error = settle_authority(facts, head);
  if (error != HeadError::kNone) return error;
  // RFC 9110 section 10.1.1: ignored in HTTP/1.0.
  head.expects_continue = facts.expects_continue && head.minor_version == 1;
  return frame_request(facts, head);
}

void clear(Head& head) {
  head.fields.clear();
  head.minor_version = 1;
  head.framing = Framing::kNone;
  head.content_length = 0;
  head.has_content_length = false;
  head.keep_alive = true;
}

Note note_of(std::string_view bytes, const char* fields, const char* line, std::size_t lines) {
  assert(bytes.size() <= kHeadBytesMost);
  const auto offset = [&](const char* at) {
    return static_cast<std::uint16_t>(distance(bytes.data(), at));
  };
  return {static_cast<std::uint16_t>(bytes.size()), offset(line),
          fields == nullptr ? std::uint16_t{0} : offset(fields), static_cast<std::uint16_t>(lines)};
}

struct Attempt {
  Progress progress;
  /// Where the fields begin, nullptr when the start line is incomplete.
  const char* fields = nullptr;
};

Attempt attempt_request(std::string_view bytes, RequestHead& head) {
  clear(head);
  head.method = head.target = head.path = head.authority = head.host = {};
  head.expects_continue = false;
  const char* line = bytes.data();
  const char* end = line + bytes.size();
  if (line == end) return {need_more(line)};
  // RFC 9112 section 2.2: one empty line before the request line is ignored.
  if (*line == '\r') {
    if (line + 1 == end) return {need_more(line)};
    if (line[1] != '\n') return {refuse(HeadError::kBadRequestLine)};
    line += 2;
  }
  Progress progress = parse_request_line(line, end, head);
  if (progress.state == ParseState::kNeedMore) return {need_more(line)};
  if (progress.state == ParseState::kError) return {progress};
  const char* fields = progress.at;
  FieldFacts facts;
  progress = parse_fields(fields, end, true, head, facts);
  if (progress.state == ParseState::kDone) {
    const HeadError error = settle(facts, head);
    if (error != HeadError::kNone) progress = refuse(error);
  }
  return {progress, fields};
}

Attempt attempt_response(std::string_view bytes, bool request_is_head, ResponseHead& head) {
  clear(head);
  head.status = 0;
  head.reason = {};
  const char* line = bytes.data();
  const char* end = line + bytes.size();
  Progress progress = parse_status_line(line, end, head);
  if (progress.state == ParseState::kNeedMore) return {need_more(line)};
  if (progress.state == ParseState::kError) return {progress};
  const char* fields = progress.at;
  FieldFacts facts;
  progress = parse_fields(fields, end, false, head, facts);
  if (progress.state == ParseState::kDone) {
    const HeadError error = frame_response(facts, request_is_head, head);
    if (error != HeadError::kNone) progress = refuse(error);
  }
  return {progress, fields};
}

/// Tries, unless what came since the last try cannot change its outcome.
template <typename Try>
ParseResult parse_head(std::string_view bytes, std::size_t& scanned, const Head& head,
                       Try&& attempt_head) {
  ParseResult result;
  Note note = std::bit_cast<Note>(scanned);
  if (note.seen != 0 && !may_decide(bytes, note)) {
    scanned = std::bit_cast<std::size_t>(note);
    return result;
  }
  const Attempt attempt = attempt_head();
  result.state = attempt.progress.state;
  result.error = attempt.progress.error;
  if (result.state == ParseState::kDone) {
    result.head_bytes = distance(bytes.data(), attempt.progress.at);
  } else if (result.state == ParseState::kNeedMore) {
    const std::size_t lines = attempt.fields == nullptr ? 0 : head.fields.size() + 1;
    scanned =
        std::bit_cast<std::size_t>(note_of(bytes, attempt.fields, attempt.progress.at, lines));
  }
  return result;
}

}  // namespace

ParseResult parse_request_head(std::string_view bytes, std::size_t& scanned, RequestHead& head) {
  ParseResult result =
      parse_head(bytes, scanned, head, [&] { return attempt_request(bytes, head); });
  if (result.state == ParseState::kError) result.status = status_for(result.error);
  return result;
}

ParseResult parse_response_head(std::string_view bytes, std::size_t& scanned, bool request_is_head,
                                ResponseHead& head) {
  ParseResult result = parse_head(bytes, scanned, head,
                                  [&] { return attempt_response(bytes, request_is_head, head); });
  if (result.state == ParseState::kError) result.status = 502;
  return result;
}

}  // namespace holdfast::http
