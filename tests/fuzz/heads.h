#pragma once

// What request_head and response_head have in common: parsing in pieces, comparing heads, and rules
// for every head that goes out.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/limits.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {

inline constexpr std::size_t kExpandedBytesMost = http::kHeadBytesMost + 1000;
/// Inputs up to this size are cut at every place, and parsed byte by byte.
inline constexpr std::size_t kBytesCutEverywhere = 300;
inline constexpr std::size_t kCutsOfLongOnes = 24;

/// A parsed head with the bytes that it points into.
template <class Head>
struct Parsed {
  std::unique_ptr<Exactly> bytes;
  http::ParseResult result;
  Head head;
};

/// Parses `bytes` as they come when they are cut at `cuts` (ascending): each time all that came so
/// far, elsewhere in memory. Ends early when the parser has decided.
template <class Head, class Parse>
Parsed<Head> parse_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts,
                             const Parse& parse) {
  Parsed<Head> parsed;
  std::size_t scanned = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    parsed.bytes = std::make_unique<Exactly>(i < cuts.size() ? bytes.substr(0, cuts[i]) : bytes);
    parsed.result = parse(parsed.bytes->view(), scanned, parsed.head);
    if (parsed.result.state != http::ParseState::kNeedMore) break;
  }
  return parsed;
}

inline bool is_limit(http::HeadError error) {
  return error == http::HeadError::kRequestLineTooLong || error == http::HeadError::kFieldTooLong ||
         error == http::HeadError::kHeadTooLong;
}

/// An empty line has come, be it ended by LF alone.
inline bool has_empty_line(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  return bytes.starts_with("\n") || bytes.starts_with("\r\n") ||
         bytes.find("\n\n") != std::string_view::npos ||
         bytes.find("\n\r\n") != std::string_view::npos;
}

inline void require_same_head(const http::Head& a, const http::Head& b) {
  const auto same_field = [](const http::Field& x, const http::Field& y) {
    return x.name == y.name && x.value == y.value;
  };
  require(
      std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), same_field),
      "the same fields");
  require(a.minor_version == b.minor_version && a.framing == b.framing &&
              a.content_length == b.content_length &&
              a.has_content_length == b.has_content_length && a.keep_alive == b.keep_alive,
          "the same framing");
}

/// Parses in one piece and in many ways in pieces; all must say the same. Gives the one piece.
template <class Head, class Parse, class Same>
Parsed<Head> parse_every_way(std::string_view bytes, const Parse& parse, const Same& require_same) {
  Parsed<Head> whole = parse_in_pieces<Head>(bytes, {}, parse);
  const auto compare = [&](const std::vector<std::size_t>& cuts) {
    const Parsed<Head> pieces = parse_in_pieces<Head>(bytes, cuts, parse);
    const bool may_wait = whole.result.state == http::ParseState::kError &&
                          !is_limit(whole.result.error) && !has_empty_line(bytes);
    if (may_wait && pieces.result.state == http::ParseState::kNeedMore) return;
    require(pieces.result.state == whole.result.state, "pieces lead to the same state");
    // Whether a limit or another rule is broken first may depend on the pieces.
    require((pieces.result.error == whole.result.error &&
             pieces.result.status == whole.result.status) ||
                is_limit(whole.result.error) || is_limit(pieces.result.error),
            "pieces lead to the same error", http::to_string(pieces.result.error));
    require(pieces.result.head_bytes == whole.result.head_bytes, "the head has the same size");
    if (whole.result.state == http::ParseState::kDone) require_same(whole.head, pieces.head);
  };
  const bool everywhere = bytes.size() <= kBytesCutEverywhere;
  const std::size_t step = everywhere ? 1 : bytes.size() / kCutsOfLongOnes;
  std::vector<std::size_t> all;
  for (std::size_t cut = step; cut < bytes.size(); cut += step) {
    compare({cut});
    all.push_back(cut);
  }
  compare(all);
  return whole;
}

/// The lines of a head that goes out, without its empty line; each is free of control bytes.
inline std::vector<std::string_view> lines_of(std::string_view head) {
  require(head.ends_with("\r\n\r\n"), "a head ends with an empty line");
  head.remove_suffix(2);
  std::vector<std::string_view> lines;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    require(!line.empty(), "only the last line is empty");
    for (const char c : line) {
      require(c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != '\x7f'),
              "no control byte goes out");
    }
    lines.push_back(line);
    head.remove_prefix(end + 2);
  }
  return lines;
}

inline std::string_view name_of(std::string_view line) { return line.substr(0, line.find(':')); }

inline std::size_t count_named(const std::vector<std::string_view>& lines, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](auto line) {
    return http::equal_ignoring_case(name_of(line), name);
  }));
}

/// Exactly one way to find the end of the message, and that of `framing`.
inline void require_one_framing(const std::vector<std::string_view>& lines, http::Framing framing,
                                bool may_state_length) {
  const std::size_t lengths = count_named(lines, "Content-Length");
  const std::size_t codings = count_named(lines, "Transfer-Encoding");
  require(codings == (framing == http::Framing::kChunked ? 1 : 0), "codings go out as framed");
  if (framing == http::Framing::kLength) {
    require(lengths == 1, "one length goes out");
  } else {
    require(lengths <= (may_state_length ? 1 : 0), "no length goes out beside another framing");
  }
}

/// What is hop-by-hop stays behind, and every other line is one of ours or was there before.
inline void require_forwarded_lines(const std::vector<std::string_view>& lines,
                                    const http::Head& head,
                                    const std::vector<std::string_view>& ours) {
  for (const std::string_view hop : {"Keep-Alive", "Proxy-Connection", "TE", "Trailer"}) {
    require(count_named(lines, hop) == 0, "hop-by-hop fields stay behind", hop);
  }
  require(count_named(lines, "Connection") <= 1 && count_named(lines, "Upgrade") <= 1,
          "Connection and Upgrade are written afresh");
  for (std::size_t i = 1; i < lines.size(); ++i) {
    require(!name_of(lines[i]).empty() && name_of(lines[i]).size() < lines[i].size() &&
                name_of(lines[i]).find_first_of(" \t\"(),/;<=>?@[\\]{}") == std::string_view::npos,
            "every field has a name", lines[i]);
    const bool own = std::find(ours.begin(), ours.end(), name_of(lines[i])) != ours.end();
    const bool came = std::any_of(head.fields.begin(), head.fields.end(), [&](const auto& field) {
      return lines[i] == std::string(field.name) + ": " + std::string(field.value);
    });
    require(own || came, "nothing goes out that did not come in", lines[i]);
  }
}

}  // namespace holdfast::fuzz
