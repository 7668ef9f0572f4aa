#pragma once

// A reader of HTTP/1.1 streams that has the whole stream before it and takes almost everything for
// a message: what the strict one in src/http accepts must mean the same here.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::fuzz {

struct Message {
  /// The words of the start line; of a response's reason only the first.
  std::vector<std::string_view> words;
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::string body;
  /// The body has come to its end.
  bool complete = false;
  /// Offsets in the stream.
  std::size_t head_end = 0;
  std::size_t end = 0;

  /// The value of the first such field, or "".
  [[nodiscard]] std::string_view field(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// REQUIRES: a response.
  [[nodiscard]] int status() const;
};

/// The request that begins at `from`; nothing when its head is not there in whole.
std::optional<Message> read_request(std::string_view stream, std::size_t from);
/// The response that begins at `from`. `ended`: nothing comes behind the stream.
std::optional<Message> read_response(std::string_view stream, std::size_t from,
                                     bool request_is_head, bool ended);
/// The same, without interim responses in front of it (a 101 is none).
std::optional<Message> read_final_response(std::string_view stream, std::size_t from,
                                           bool request_is_head, bool ended);

/// The requests of a stream one behind the other, up to a CONNECT-like change of its nature that
/// the caller knows of; the last may be incomplete.
std::vector<Message> read_requests(std::string_view stream);

/// Some segment of the target's path, decoded, is "." or "..".
bool has_dot_segment(std::string_view target);

}  // namespace holdfast::fuzz
