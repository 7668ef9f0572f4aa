#include "base/port.h"

#include <charconv>

namespace holdfast::base {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && last == end ? std::optional(port) : std::nullopt;
}

std::string_view default_port(std::string_view scheme) {
  if (scheme == "http") return "80";
  if (scheme == "https") return "443";
  return {};
}

std::string_view without_default_port(std::string_view origin) {
  const std::string_view port = default_port(origin.substr(0, origin.find("://")));
  const std::size_t rest = origin.size() - port.size();
  if (port.empty() || !origin.ends_with(port) || origin[rest - 1] != ':') return origin;
  return origin.substr(0, rest - 1);
}

}  // namespace holdfast::base
