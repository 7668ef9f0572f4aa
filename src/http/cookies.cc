#include "http/cookies.h"

#include <algorithm>

#include "http/chars.h"

namespace holdfast::http {

namespace {

bool is_cookie_octet(char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

bool is_cookie_value(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return std::ranges::all_of(value, is_cookie_octet);
}

}  // namespace

bool CookieValues::next(std::string_view& value) {
  for (;;) {
    while (rest_.empty()) {
      if (field_ == head_.fields.size()) return false;
      const Field& field = head_.fields[field_++];
      if (equal_ignoring_case(field.name, "Cookie")) rest_ = field.value;
    }
    const std::size_t end = rest_.find(';');
    const std::string_view pair = trim(rest_.substr(0, end));
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name_) continue;
    value = pair.substr(equals + 1);
    if (is_cookie_value(value)) return true;
  }
}

}  // namespace holdfast::http
