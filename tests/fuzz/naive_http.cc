#include "tests/fuzz/naive_http.h"

#include <algorithm>
#include <cstdlib>

#include "http/head.h"

namespace holdfast::fuzz {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

/// Takes the text up to `end` off the front.
std::string_view take_until(std::string_view& text, std::string_view end) {
  const std::size_t size = text.find(end);
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size == std::string_view::npos ? text.size() : size + end.size());
  return taken;
}

std::optional<Message> read_head(std::string_view stream, std::size_t from) {
  const std::size_t end = stream.find("\r\n\r\n", from);
  if (end == std::string_view::npos) return std::nullopt;
  Message message;
  message.end = message.head_end = end + 4;
  std::string_view head = stream.substr(from, end - from);
  std::string_view start = take_until(head, "\r\n");
  for (int i = 0; i < 3; ++i) message.words.push_back(take_until(start, " "));
  while (!head.empty()) {
    std::string_view line = take_until(head, "\r\n");
    const std::string_view name = take_until(line, ":");
    message.fields.emplace_back(name, trim(line));
  }
  return message;
}

void read_length(std::string_view stream, Message& message) {
  const std::string length(message.field("content-length"));
  const std::uint64_t wanted = std::strtoull(length.c_str(), nullptr, 10);
  const std::uint64_t size = std::min<std::uint64_t>(wanted, stream.size() - message.end);
  message.body = stream.substr(message.end, size);
  message.end += size;
  message.complete = size == wanted;
}

void read_chunks(std::string_view stream, Message& message) {
  std::string_view rest = stream.substr(message.end);
  for (;;) {
    const std::size_t line_end = rest.find("\r\n");
    if (line_end == std::string_view::npos) break;
    const std::string digits(rest.substr(0, line_end));
    const std::uint64_t size = std::strtoull(digits.c_str(), nullptr, 16);
    rest.remove_prefix(line_end + 2);
    if (size == 0) {
      // Trailers, up to the empty line.
      while (!rest.empty() && rest.find("\r\n") != std::string_view::npos) {
        if (take_until(rest, "\r\n").empty()) {
          message.complete = true;
          break;
        }
      }
      break;
    }
    const std::string_view data = rest.substr(0, size);
    message.body += data;
    rest.remove_prefix(data.size());
    if (data.size() < size || !rest.starts_with("\r\n")) break;
    rest.remove_prefix(2);
  }
  message.end = stream.size() - rest.size();
}

}  // namespace

std::string_view Message::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (http::equal_ignoring_case(key, name)) return value;
  }
  return "";
}

std::size_t Message::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(),
      [&](const auto& field) { return http::equal_ignoring_case(field.first, name); }));
}

int Message::status() const { return std::atoi(std::string(words[1]).c_str()); }

std::optional<Message> read_request(std::string_view stream, std::size_t from) {
  if (stream.substr(from).starts_with("\r\n")) from += 2;
  std::optional<Message> message = read_head(stream, from);
  if (!message) return message;
  if (message->count("transfer-encoding") > 0) {
    read_chunks(stream, *message);
  } else if (message->count("content-length") > 0) {
    read_length(stream, *message);
  } else {
    message->complete = true;
  }
  return message;
}

std::optional<Message> read_response(std::string_view stream, std::size_t from,
                                     bool request_is_head, bool ended) {
  std::optional<Message> message = read_head(stream, from);
  if (!message) return message;
  const int status = message->status();
  if (status < 200 || status == 204 || status == 304 || request_is_head) {
    message->complete = true;
  } else if (message->count("transfer-encoding") > 0) {
    read_chunks(stream, *message);
  } else if (message->count("content-length") > 0) {
    read_length(stream, *message);
  } else {
    message->body = stream.substr(message->end);
    message->end = stream.size();
    message->complete = ended;
  }
  return message;
}

std::optional<Message> read_final_response(std::string_view stream, std::size_t from,
                                           bool request_is_head, bool ended) {
  std::optional<Message> message = read_response(stream, from, request_is_head, ended);
  while (message && message->status() < 200 && message->status() != 101) {
    message = read_response(stream, message->end, request_is_head, ended);
  }
  return message;
}

std::vector<Message> read_requests(std::string_view stream) {
  std::vector<Message> messages;
  std::size_t from = 0;
  while (from < stream.size()) {
    std::optional<Message> message = read_request(stream, from);
    if (!message) break;
    from = message->end;
    messages.push_back(std::move(*message));
    if (!messages.back().complete) break;
  }
  return messages;
}

bool has_dot_segment(std::string_view target) {
  std::string decoded;
  for (std::string_view path = target.substr(0, target.find('?')); !path.empty();) {
    const std::string digits(path.substr(1, 2));
    const bool escape = path[0] == '%' && digits.size() == 2 &&
                        digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    decoded += escape ? static_cast<char>(std::strtoul(digits.c_str(), nullptr, 16)) : path[0];
    path.remove_prefix(escape ? 3 : 1);
  }
  decoded += '/';
  return decoded.find("/./") != std::string::npos || decoded.find("/../") != std::string::npos;
}

}  // namespace holdfast::fuzz
