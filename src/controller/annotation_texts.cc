#include "controller/annotation_texts.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "base/ip_address.h"
#include "base/port.h"
#include "base/text_list.h"
#include "base/utf8.h"
#include "controller/limits.h"
#include "controller/names.h"
#include "controller/quote.h"
#include "controller/service_port.h"
#include "model/field_rules.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

base::Status wrong(const std::string& half_sentence) {
  return absl::InvalidArgumentError(half_sentence);
}

/// Of an origin with a WebSocket's scheme (RFC 6455 section 3) that with a page's; else empty.
/// REQUIRES: it is in lower case.
std::string origin_of_page(std::string_view origin) {
  for (const std::string_view scheme : {std::string_view("ws"), std::string_view("wss")}) {
    if (origin.substr(0, origin.find("://")) != scheme) continue;
    const std::string page = "http" + std::string(origin.substr(2));
    return std::string(base::without_default_port(page));
  }
  return {};
}

/// As the Origin field of a handshake would say it: lower case, without the scheme's own port.
std::string normal_origin(std::string_view text) {
  return std::string(base::without_default_port(base::lower_case(text)));
}

/// Makes `list` the blocks of `text`; the error names the first entry that is none.
template <class List>
base::Status read_cidrs(std::string_view text, List& list) {
  list.Clear();
  base::Status status;
  for (const std::string_view entry : base::split_list(text, ',')) {
    const auto block = base::parse_cidr(std::string(entry));
    if (!block) {
      status.Update(wrong(quote(entry) + " is not an address or a block such as \"10.0.0.0/8\""));
    } else if (list.size() == model::kCidrsMost) {
      status.Update(wrong("there are more than " + std::to_string(model::kCidrsMost) + " blocks"));
    } else {
      *list.Add() = base::to_string(*block);
    }
  }
  if (list.empty()) status.Update(wrong("it names no address"));
  return status;
}

base::StatusOr<v1::FieldChange> parse_change(std::string_view line) {
  v1::FieldChange change;
  const bool removes = line.starts_with('-');
  const std::size_t colon = line.find(':');
  if (!removes && colon == std::string_view::npos) {
    return wrong(quote(line) + " is neither \"Name: value\" nor \"-Name\"");
  }
  const std::string_view name =
      removes ? base::trim(line.substr(1)) : base::trim(line.substr(0, colon));
  if (!model::is_token(name)) return wrong(quote(name) + " is not the name of a header field");
  if (!model::may_be_changed(name)) {
    return wrong(quote(name) + " is not for an annotation to change");
  }
  const std::string_view value = removes ? std::string_view() : base::trim(line.substr(colon + 1));
  if (name.size() + value.size() > model::kFieldBytes) {
    return wrong(quote(name) + " has more than " + std::to_string(model::kFieldBytes) + " bytes");
  }
  change.set_name(std::string(name));
  if (removes) return change;
  if (value.empty()) return wrong(quote(name) + " has no value (write \"-Name\" to remove it)");
  if (!base::is_utf8(value)) return wrong(quote(value) + " is not UTF-8");
  if (!model::is_field_value(value)) return wrong(quote(value) + " has a control byte");
  change.set_value(std::string(value));
  return change;
}

/// All of them or none.
template <class List>
base::Status set_changes(std::string_view text, List& list) {
  List changes;
  for (const std::string_view line : base::split_list(text, '\n')) {
    auto change = parse_change(line);
    if (!change.ok()) return change.status();
    *changes.Add() = *std::move(change);
  }
  if (changes.size() > model::kFieldChangesMost) {
    return wrong("there are more than " + std::to_string(model::kFieldChangesMost) + " fields");
  }
  list.Swap(&changes);
  return absl::OkStatus();
}

base::Status set_secret(std::string_view text, std::string& secret) {
  if (text == "none") {
    secret.clear();
    return absl::OkStatus();
  }
  const std::size_t slash = text.find('/');
  const bool has_namespace = slash != std::string_view::npos;
  const std::string_view name = has_namespace ? text.substr(slash + 1) : text;
  if (!is_object_name(name) || (has_namespace && !is_object_name(text.substr(0, slash)))) {
    secret = kNoSecret;
    return wrong(quote(text) + " is not the name of a Secret");
  }
  secret = text;
  return absl::OkStatus();
}

}  // namespace

base::Status set_cookie_name(Draft& draft, std::string_view text) {
  if (!model::is_token(text) || text.size() > model::kNameBytes) {
    return wrong(quote(text) + " is not the name of a cookie");
  }
  draft.affinity.set_cookie_name(std::string(text));
  return absl::OkStatus();
}

base::Status set_cookie_path(Draft& draft, std::string_view text) {
  if (base::Status status = check_path(text, false); !status.ok()) return status;
  if (text.find(';') != std::string_view::npos) return wrong(quote(text) + " has a semicolon");
  draft.affinity.set_cookie_path(std::string(text));
  return absl::OkStatus();
}

base::Status set_hash_by(Draft& draft, std::string_view text) {
  const base::Status bad =
      wrong(quote(text) +
            " is not one of client-address, path, header:NAME, cookie:NAME, query:NAME, none");
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view kind = text.substr(0, colon);
  const std::string name(text.substr(std::min(colon + 1, text.size())));
  const bool token = model::is_token(name) && name.size() <= model::kNameBytes;
  if (text == "client-address") {
    draft.hash.set_client_address(true);
  } else if (text == "path") {
    draft.hash.set_path(true);
  } else if (kind == "header" && token) {
    draft.hash.set_header(name);
  } else if (kind == "cookie" && token) {
    draft.hash.set_cookie(name);
  } else if (kind == "query" && !name.empty() && name.size() <= model::kNameBytes &&
             model::is_printable(name, "&=#")) {
    draft.hash.set_query(name);
  } else if (text != "none") {
    return bad;
  }
  draft.has_hash = text != "none";
  return absl::OkStatus();
}

base::Status set_websocket_service(Draft& draft, std::string_view text) {
  std::optional<kube::IngressBackend> backend = parse_backend(text);
  if (!backend) return wrong(quote(text) + " is not SERVICE:PORT, with the port's number or name");
  draft.settings.websocket_service = *std::move(backend);
  return absl::OkStatus();
}

base::Status set_allowed_origins(Draft& draft, std::string_view text) {
  draft.has_origins = true;
  draft.origins.clear_allowed();
  draft.origins.clear_same_origin();
  base::Status status;
  for (const std::string_view entry : base::split_list(text, ',')) {
    const std::string origin = normal_origin(entry);
    if (origin == "same-origin") {
      draft.origins.set_same_origin(true);
    } else if (const std::string page = origin_of_page(origin); !page.empty()) {
      status.Update(wrong(quote(entry) + " is no page's origin; write " + quote(page)));
    } else if (!model::is_origin_pattern(origin)) {
      status.Update(
          wrong(quote(entry) +
                " is not an origin such as \"https://chat.example.com\", \"https://*.example.com\" "
                "or \"same-origin\""));
    } else if (draft.origins.allowed_size() == model::kOriginsMost) {
      status.Update(
          wrong("there are more than " + std::to_string(model::kOriginsMost) + " origins"));
    } else {
      draft.origins.add_allowed(origin);
    }
  }
  if (draft.origins.allowed().empty() && !draft.origins.same_origin()) {
    status.Update(wrong("it names no origin"));
  }
  return status;
}

void deny_everybody(v1::RoutePolicy& policy) {
  policy.clear_deny_cidrs();
  policy.add_deny_cidrs("0.0.0.0/0");
  policy.add_deny_cidrs("::/0");
}

base::Status set_allow_cidrs(Draft& draft, std::string_view text) {
  const base::Status status = read_cidrs(text, *draft.policy().mutable_allow_cidrs());
  draft.allows_nobody = draft.policy().allow_cidrs().empty();
  return status;
}

base::Status set_deny_cidrs(Draft& draft, std::string_view text) {
  const base::Status status = read_cidrs(text, *draft.policy().mutable_deny_cidrs());
  if (!status.ok()) deny_everybody(draft.policy());
  return status;
}

base::Status set_request_headers(Draft& draft, std::string_view text) {
  return set_changes(text, *draft.policy().mutable_request_fields());
}

base::Status set_response_headers(Draft& draft, std::string_view text) {
  return set_changes(text, *draft.policy().mutable_response_fields());
}

base::Status set_upstream_host(Draft& draft, std::string_view text) {
  if (!model::is_host_field(text)) return wrong(quote(text) + " is not a host, nor HOST:PORT");
  draft.policy().set_upstream_host(std::string(text));
  return absl::OkStatus();
}

base::Status set_rewrite_prefix(Draft& draft, std::string_view text) {
  // Pods resolve "." and ".." (RFC 3986 section 5.2.4), and would then be elsewhere.
  if (base::Status status = check_path(text, true); !status.ok()) return status;
  draft.policy().set_rewrite_prefix(std::string(text));
  return absl::OkStatus();
}

base::Status set_upstream_tls_name(Draft& draft, std::string_view text) {
  std::string name = base::lower_case(text);
  if (name.starts_with('*') || (!model::is_dns_name(name) && !base::parse_ip(name))) {
    return wrong(quote(text) + " is neither a DNS name nor an address");
  }
  draft.settings.upstream.server_name = std::move(name);
  return absl::OkStatus();
}

base::Status set_upstream_tls_secret(Draft& draft, std::string_view text) {
  return set_secret(text, draft.settings.upstream.secret);
}

base::Status set_client_ca_secret(Draft& draft, std::string_view text) {
  return set_secret(text, draft.settings.client.secret);
}

base::Status set_health_path(Draft& draft, std::string_view text) {
  if (text == "none") {
    draft.health.clear_path();
    return absl::OkStatus();
  }
  if (!text.starts_with('/') || text.size() > kPathBytes || !model::is_printable(text, "#")) {
    return wrong(quote(text) + " is not a path, with or without a query");
  }
  draft.health.set_path(std::string(text));
  return absl::OkStatus();
}

}  // namespace holdfast::controller
