#include "controller/names.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/ip_address.h"
#include "base/url_path.h"
#include "controller/limits.h"
#include "controller/quote.h"
#include "model/field_rules.h"

namespace holdfast::controller {

namespace {

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

bool is_subdomain(std::string_view name) {
  return model::is_dns_name(name) && !name.starts_with('*');
}

base::Status malformed(const std::string& half_sentence) {
  return absl::InvalidArgumentError(half_sentence);
}

}  // namespace

base::StatusOr<std::string> parse_host(std::string_view host) {
  if (host.empty()) return std::string("*");
  std::string lower = base::lower_case(host);
  if (lower == "*") return malformed("\"*\" is not a host: leave it out to mean every host");
  if (base::parse_ip(lower)) return malformed(quote(host) + " is an IP address, not a host name");
  if (!model::is_dns_name(lower)) {
    return malformed(quote(host) +
                     " is not a host name such as \"chat.example.com\" or "
                     "\"*.example.com\" (no port, no trailing dot)");
  }
  return lower;
}

base::Status check_path(std::string_view path, bool strict) {
  if (!path.starts_with('/')) return malformed(quote(path) + " does not start with /");
  if (path.size() > kPathBytes) {
    return malformed(quote(path) + " has more than " + std::to_string(kPathBytes) + " bytes");
  }
  if (std::any_of(path.begin(), path.end(), [](char c) { return c <= 0x20 || c >= 0x7f; })) {
    return malformed(
        quote(path) +
        " has a byte that no request's path has (write others than printable ASCII as %XX)");
  }
  if (path.find_first_of("?#") != std::string_view::npos) {
    return malformed(quote(path) + " has a query or a fragment, which are no part of a path");
  }
  if (base::has_dot_segment(path)) {
    return malformed(quote(path) + " has a segment \".\" or \"..\"");
  }
  if (!strict) return absl::OkStatus();
  for (const std::string_view sequence : {"//", "%2f", "%2F"}) {
    if (path.find(sequence) != std::string_view::npos) {
      return malformed(quote(path) + " has " + quote(sequence));
    }
  }
  return absl::OkStatus();
}

bool is_object_name(std::string_view name) { return is_subdomain(name); }

base::StatusOr<kube::ObjectName> parse_object_name(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view namespace_name = text.substr(0, slash);
  const std::string_view name = text.substr(std::min(slash + 1, text.size()));
  if (!is_object_name(namespace_name) || !is_object_name(name)) {
    return absl::InvalidArgumentError(quote(text) + " is not NAMESPACE/NAME");
  }
  return kube::ObjectName{std::string(namespace_name), std::string(name)};
}

bool is_port_name(std::string_view name) {
  return name.size() <= 15 && model::is_dns_label(name) &&
         name.find("--") == std::string_view::npos &&
         std::any_of(name.begin(), name.end(), is_letter);
}

}  // namespace holdfast::controller
