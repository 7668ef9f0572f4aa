#include "controller/quote.h"

#include "controller/limits.h"

namespace holdfast::controller {

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kQuotedBytes)) {
    quoted.push_back(c >= 0x20 && c < 0x7f && c != '"' ? c : '?');
  }
  if (text.size() > kQuotedBytes) quoted += "...";
  quoted.push_back('"');
  return quoted;
}

}  // namespace holdfast::controller
