#pragma once

// The field lines of a head (RFC 9112 section 5), for requests and responses alike. Pure; any
// thread.

#include <cstddef>
#include <string_view>

#include "http/framing.h"
#include "http/head.h"

namespace holdfast::http {

/// How far a parser got.
struct Progress {
  ParseState state = ParseState::kNeedMore;
  HeadError error = HeadError::kNone;
  /// kDone: behind what was parsed. kNeedMore: the start of the line that is incomplete.
  const char* at = nullptr;
};

inline Progress need_more(const char* line) {
  return {ParseState::kNeedMore, HeadError::kNone, line};
}
inline Progress refuse(HeadError error) { return {ParseState::kError, error, nullptr}; }

/// Parses field lines up to and including the empty line. `is_request`: refuse a field whose name
/// becomes one that proxies or backends trust when its '_' is read as '-', as CGI-like servers do.
Progress parse_fields(const char* begin, const char* end, bool is_request, Head& head,
                      FieldFacts& facts);

}  // namespace holdfast::http
