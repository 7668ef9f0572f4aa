#include "tls/client_hello.h"

#include <algorithm>
#include <cstddef>

#include "base/ascii.h"
#include "tls/limits.h"

namespace holdfast::tls {

namespace {

constexpr char kHostName = 0;

/// Takes a 16-bit length and so many bytes from the front of `bytes`.
std::optional<std::string_view> take_vector(std::string_view& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto high = static_cast<unsigned char>(bytes[0]);
  const auto low = static_cast<unsigned char>(bytes[1]);
  const std::size_t size = (std::size_t{high} << 8) | low;
  bytes.remove_prefix(2);
  if (bytes.size() < size) return std::nullopt;
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

bool is_name_byte(char c) {
  return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

}  // namespace

std::optional<std::string> parse_server_name(std::string_view extension) {
  auto list = take_vector(extension);
  if (!list || list->empty() || !extension.empty() || list->front() != kHostName) {
    return std::nullopt;
  }
  list->remove_prefix(1);
  const auto host = take_vector(*list);
  if (!host || host->empty() || !list->empty()) return std::nullopt;
  std::string name = base::lower_case(*host);
  // As some clients write it (RFC 6066 knows no trailing dot).
  if (name.ends_with('.')) name.pop_back();
  const bool is_name =
      name.size() <= kServerNameBytesMost && std::all_of(name.begin(), name.end(), is_name_byte);
  return is_name ? name : std::string();
}

}  // namespace holdfast::tls
