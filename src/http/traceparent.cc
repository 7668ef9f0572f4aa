#include "http/traceparent.h"

#include <algorithm>

#include "base/hex.h"

namespace holdfast::http {

namespace {

constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kTraceIdDigits = 32;
constexpr std::size_t kParentIdAt = 36;
constexpr std::size_t kParentIdDigits = 16;
constexpr std::size_t kFlagsAt = 53;
/// All that version 00 has; later ones may have more behind a dash.
constexpr std::size_t kBytes = 55;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

bool is_valid(std::string_view text) {
  if (text.size() < kBytes) return false;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (text.size() > kBytes && (version == "00" || text[kBytes] != '-')) return false;
  return text[kTraceIdAt - 1] == '-' && text[kParentIdAt - 1] == '-' && text[kFlagsAt - 1] == '-' &&
         is_id(text.substr(kTraceIdAt, kTraceIdDigits)) &&
         is_id(text.substr(kParentIdAt, kParentIdDigits)) && is_hex(text.substr(kFlagsAt, 2));
}

}  // namespace

std::string_view trace_id(const Head& head) {
  if (head.count("traceparent") != 1) return {};
  const std::string_view value = head.find("traceparent")->value;
  return is_valid(value) ? value.substr(kTraceIdAt, kTraceIdDigits) : std::string_view();
}

std::string make_traceparent(std::string_view trace_id, std::uint64_t parent_id) {
  std::string text = "00-";
  text.append(trace_id).append("-");
  base::append_hex(text, parent_id, 16);
  return text + "-01";
}

}  // namespace holdfast::http
