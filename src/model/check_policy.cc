#include "model/check_policy.h"

#include <algorithm>

#include "base/ip_address.h"
#include "base/url_path.h"
#include "model/field_rules.h"
#include "model/limits.h"

namespace holdfast::model {

namespace v1 = discovery::v1;

namespace {

using base::Status;

template <class Number>
bool within(Number number, const NumberRange& range) {
  return number >= range.least && number <= range.most;
}

Status check_duration(const char* name, const google::protobuf::Duration& value,
                      const DurationRange& range) {
  // Seconds first: more of them than the range has could overflow nanoseconds.
  const auto most = std::chrono::ceil<std::chrono::seconds>(range.most).count();
  const bool sane = value.seconds() >= 0 && value.seconds() <= most && value.nanos() >= 0 &&
                    value.nanos() < 1'000'000'000;
  const base::Duration duration =
      sane ? std::chrono::seconds(value.seconds()) + std::chrono::nanoseconds(value.nanos())
           : base::Duration::max();
  if (duration < range.least || duration > range.most) return wrong(name, " is out of range");
  return absl::OkStatus();
}

Status check_set_duration(const char* name, bool present, const google::protobuf::Duration& value,
                          const DurationRange& range) {
  return present ? check_duration(name, value, range) : wrong(name, " is not set");
}

Status check_timeouts(const v1::RoutePolicy& policy) {
  Status status = check_set_duration("connect_timeout", policy.has_connect_timeout(),
                                     policy.connect_timeout(), kConnectTimeoutRange);
  status.Update(check_set_duration("idle_timeout", policy.has_idle_timeout(), policy.idle_timeout(),
                                   kIdleTimeoutRange));
  status.Update(check_set_duration("request_timeout", policy.has_request_timeout(),
                                   policy.request_timeout(), kRequestTimeoutRange));
  status.Update(check_set_duration("upgrade_timeout", policy.has_upgrade_timeout(),
                                   policy.upgrade_timeout(), kRequestTimeoutRange));
  return status;
}

Status check_affinity(const v1::Affinity& affinity) {
  if (!is_token(affinity.cookie_name()) || affinity.cookie_name().size() > kNameBytes) {
    return wrong("affinity.cookie_name is not a cookie's name");
  }
  const std::string& path = affinity.cookie_path();
  if (!path.empty() && (!path.starts_with('/') || !is_printable(path, ";"))) {
    return wrong("affinity.cookie_path is not a path");
  }
  if (affinity.cookie_same_site() == v1::SAME_SITE_UNSPECIFIED ||
      !v1::SameSite_IsValid(affinity.cookie_same_site())) {
    return wrong("affinity.cookie_same_site is not known");
  }
  if (affinity.cookie_secure() == v1::SECURE_UNSPECIFIED ||
      !v1::Secure_IsValid(affinity.cookie_secure())) {
    return wrong("affinity.cookie_secure is not known");
  }
  if (!affinity.has_cookie_max_age()) return absl::OkStatus();
  return check_duration("affinity.cookie_max_age", affinity.cookie_max_age(), kCookieMaxAgeRange);
}

Status check_hash(const v1::HashBy& hash) {
  if (!within(hash.balance_factor(), kBalanceFactorRange)) {
    return wrong("hash_by.balance_factor is out of range");
  }
  const auto check_name = [](const std::string& name, bool ok) -> Status {
    return ok && !name.empty() && name.size() <= kNameBytes ? absl::OkStatus()
                                                            : wrong("hash_by has no such key");
  };
  switch (hash.key_case()) {
    case v1::HashBy::kClientAddress:
    case v1::HashBy::kPath:
      return absl::OkStatus();
    case v1::HashBy::kHeader:
      return check_name(hash.header(), is_token(hash.header()));
    case v1::HashBy::kCookie:
      return check_name(hash.cookie(), is_token(hash.cookie()));
    case v1::HashBy::kQuery:
      return check_name(hash.query(), is_printable(hash.query(), "&=#"));
    case v1::HashBy::KEY_NOT_SET:
      break;
  }
  return wrong("hash_by has no key");
}

Status check_balancing(const v1::RoutePolicy& policy) {
  if (policy.load_balance() == v1::LOAD_BALANCE_UNSPECIFIED ||
      !v1::LoadBalance_IsValid(policy.load_balance())) {
    return wrong("load_balance is not known");
  }
  Status status;
  if (policy.has_affinity()) status.Update(check_affinity(policy.affinity()));
  if (policy.has_hash_by()) status.Update(check_hash(policy.hash_by()));
  status.Update(check_duration("slow_start", policy.slow_start(), kSlowStartRange));
  if (!within(policy.eject_after(), kEjectAfterRange)) {
    status.Update(wrong("eject_after is out of range"));
  }
  if (policy.eject_after() > 0) {
    status.Update(check_duration("eject_for", policy.eject_for(), kEjectForRange));
  }
  return status;
}

template <class List>
Status check_cidrs(const char* name, const List& blocks) {
  const bool ok = blocks.size() <= kCidrsMost &&
                  std::all_of(blocks.begin(), blocks.end(), [](const auto& block) {
                    return base::parse_cidr(block).has_value();
                  });
  return ok ? absl::OkStatus() : wrong(name, " are too many, or one is no block of addresses");
}

Status check_admission(const v1::RoutePolicy& policy) {
  const auto& origins = policy.origin_check().allowed();
  if (origins.size() > kOriginsMost ||
      !std::all_of(origins.begin(), origins.end(),
                   [](const std::string& origin) { return is_origin_pattern(origin); })) {
    return wrong("origin_check.allowed are too many, or one is no origin");
  }
  Status status = check_cidrs("allow_cidrs", policy.allow_cidrs());
  status.Update(check_cidrs("deny_cidrs", policy.deny_cidrs()));
  return status;
}

template <class List>
Status check_changes(const char* name, const List& changes) {
  if (changes.size() > kFieldChangesMost) return wrong(name, " are too many");
  for (const v1::FieldChange& change : changes) {
    if (!is_token(change.name()) || !may_be_changed(change.name()) ||
        change.name().size() + change.value().size() > kFieldBytes ||
        !(change.value().empty() || is_field_value(change.value()))) {
      return wrong(name, " have one that may not be");
    }
  }
  return absl::OkStatus();
}

Status check_forwarding(const v1::RoutePolicy& policy) {
  if (!policy.upstream_host().empty() && !is_host_field(policy.upstream_host())) {
    return wrong("upstream_host is not a host");
  }
  const std::string& prefix = policy.rewrite_prefix();
  if (!prefix.empty() && (!prefix.starts_with('/') || !is_printable(prefix, "?#"))) {
    return wrong("rewrite_prefix is not a path");
  }
  if (base::has_dot_segment(prefix)) return wrong("rewrite_prefix has a dot segment");
  if (!v1::ProxyProtocol_IsValid(policy.proxy_protocol())) {
    return wrong("proxy_protocol is not known");
  }
  const std::string& transport_security = policy.strict_transport_security();
  if (!transport_security.empty() && !is_field_value(transport_security)) {
    return wrong("strict_transport_security is not a field value");
  }
  Status status = check_changes("request_fields", policy.request_fields());
  status.Update(check_changes("response_fields", policy.response_fields()));
  return status;
}

}  // namespace

Status check_policy(const v1::RoutePolicy& policy) {
  Status status = check_balancing(policy);
  status.Update(check_timeouts(policy));
  if (policy.max_body_bytes() > kMaxBodyBytesRange.most) {
    status.Update(wrong("max_body_bytes is out of range"));
  }
  status.Update(check_admission(policy));
  status.Update(check_forwarding(policy));
  return status;
}

Status check_health(const v1::HealthCheck& check) {
  if (!check.path().starts_with('/') || !is_printable(check.path(), "#")) {
    return wrong("path is not a path");
  }
  if (!check.host().empty() && !is_host_field(check.host())) return wrong("host is not a host");
  if (!v1::ProxyProtocol_IsValid(check.proxy_protocol())) {
    return wrong("proxy_protocol is not known");
  }
  Status status = check_duration("interval", check.interval(), kHealthIntervalRange);
  status.Update(check_duration("timeout", check.timeout(), kHealthTimeoutRange));
  return status;
}

}  // namespace holdfast::model
