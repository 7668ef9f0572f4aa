#include "http/hop_by_hop.h"

#include "http/chars.h"

namespace holdfast::http {
namespace {

std::uint64_t size_bit(std::string_view name) { return std::uint64_t{1} << (name.size() % 64); }

bool begins_ignoring_case(std::string_view name, std::string_view prefix) {
  return equal_ignoring_case(name.substr(0, prefix.size()), prefix);
}

bool is_hop_by_hop(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_ignoring_case(name, "te");
    case 7:
      return equal_ignoring_case(name, "upgrade") || equal_ignoring_case(name, "trailer");
    case 10:
      return equal_ignoring_case(name, "connection") || equal_ignoring_case(name, "keep-alive");
    case 14:
      return equal_ignoring_case(name, "content-length") ||
             equal_ignoring_case(name, "http2-settings");
    case 16:
      return equal_ignoring_case(name, "proxy-connection");
    case 17:
      return equal_ignoring_case(name, "transfer-encoding");
    default:
      return false;
  }
}

/// Fields that the exchange stands on, whatever Connection says.
bool is_essential(std::string_view name) {
  for (const std::string_view prefix : {"content-", "sec-", "x-forwarded-"}) {
    if (begins_ignoring_case(name, prefix)) return true;
  }
  for (const std::string_view essential :
       {"host", "cookie", "set-cookie", "authorization", "origin", "cache-control", "date", "via",
        "forwarded", "x-real-ip", "x-request-id"}) {
    if (equal_ignoring_case(name, essential)) return true;
  }
  return false;
}

}  // namespace

bool equal_as_variable(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto fold = [](char c) { return c == '_' ? '-' : to_lower(c); };
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (fold(a[i]) != fold(b[i])) return false;
  }
  return true;
}

ForwardFilter::ForwardFilter(const Head& head, std::span<const Field> replaced)
    : replaced_(replaced) {
  for (const Field& field : replaced) sizes_ |= size_bit(field.name);
  for (const Field& field : head.fields) {
    if (!equal_ignoring_case(field.name, "connection")) continue;
    std::string_view options = field.value;
    while (!options.empty()) nominate(take_element(options));
  }
}

void ForwardFilter::nominate(std::string_view option) {
  // What is dropped or kept anyway needs no place. The parser has bounded the count.
  if (option.empty() || equal_ignoring_case(option, "close") || is_hop_by_hop(option) ||
      is_essential(option) || nominated_count_ == nominated_.size()) {
    return;
  }
  nominated_[nominated_count_++] = option;
  sizes_ |= size_bit(option);
}

bool ForwardFilter::drops(std::string_view name) const {
  if (is_hop_by_hop(name)) return true;
  if ((sizes_ & size_bit(name)) == 0) return false;
  for (const Field& field : replaced_) {
    if (equal_as_variable(field.name, name)) return true;
  }
  for (std::size_t i = 0; i < nominated_count_; ++i) {
    if (equal_ignoring_case(nominated_[i], name)) return true;
  }
  return false;
}

}  // namespace holdfast::http
