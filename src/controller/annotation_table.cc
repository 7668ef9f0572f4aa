#include "controller/annotation_table.h"

#include <array>

#include "controller/annotation_texts.h"
#include "controller/annotations.h"
#include "controller/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

void assign(google::protobuf::Duration& field, base::Duration value) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
  field.set_seconds(seconds.count());
  field.set_nanos(static_cast<std::int32_t>((value - seconds).count()));
}

using Choice = ChoiceValue::Choice;
constexpr std::array<Choice, 2> kLoadBalances{{
    {"least-connections", v1::LOAD_BALANCE_LEAST_CONNECTIONS},
    {"round-robin", v1::LOAD_BALANCE_ROUND_ROBIN},
}};
constexpr std::array<Choice, 2> kBooleans{{{"true", 1}, {"false", 0}}};
constexpr std::array<Choice, 2> kAffinities{{{"none", 0}, {"cookie", 1}}};
constexpr std::array<Choice, 2> kWhenGone{{{"rebalance", 0}, {"fail", 1}}};
constexpr std::array<Choice, 3> kSameSites{{
    {"lax", v1::SAME_SITE_LAX},
    {"strict", v1::SAME_SITE_STRICT},
    {"none", v1::SAME_SITE_NONE},
}};
constexpr std::array<Choice, 3> kSecures{{
    {"auto", v1::SECURE_AUTO},
    {"true", v1::SECURE_ALWAYS},
    {"false", v1::SECURE_NEVER},
}};
constexpr std::array<Choice, 2> kMissingOrigins{{{"deny", 0}, {"allow", 1}}};
constexpr std::array<Choice, 2> kTraceparents{{{"start", 0}, {"pass", 1}}};
constexpr std::array<Choice, 3> kBackendProtocols{{{"auto", -1}, {"HTTP", 0}, {"HTTPS", 1}}};
constexpr std::array<Choice, 2> kClientCertificates{{{"required", 0}, {"optional", 1}}};
constexpr std::array<Choice, 3> kProxyProtocols{{
    {"none", v1::PROXY_PROTOCOL_UNSPECIFIED},
    {"v1", v1::PROXY_PROTOCOL_V1},
    {"v2", v1::PROXY_PROTOCOL_V2},
}};

const std::array kAnnotations{
    Annotation{.name = "load-balance",
               .value = ChoiceValue{kLoadBalances,
                                    [](Draft& draft, int value) {
                                      draft.policy().set_load_balance(
                                          static_cast<v1::LoadBalance>(value));
                                    }},
               .default_text = "least-connections",
               .summary = "How the pod of a new connection is chosen.",
               .scope = Scope::kIngress},
    Annotation{.name = "slow-start",
               .value = DurationValue{model::kSlowStartRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.policy().mutable_slow_start(), value);
                                      }},
               .default_text = "30s",
               .summary = "How long a pod that joins others, or returns to them after it was left "
                          "out, gets less than its share of new connections, beginning with a "
                          "tenth. Where all are new, all have their share.",
               .scope = Scope::kIngress},
    Annotation{.name = "eject-after",
               .value = NumberValue{model::kEjectAfterRange,
                                    [](Draft& draft, std::uint32_t value) {
                                      draft.policy().set_eject_after(value);
                                    }},
               .default_text = "3",
               .summary = "After how many failed connects in a row a pod gets no new connections "
                          "for a while; 0: never; at most half of a Service's pods at a time.",
               .scope = Scope::kIngress},
    Annotation{.name = "eject-for",
               .value = DurationValue{model::kEjectForRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.policy().mutable_eject_for(), value);
                                      }},
               .default_text = "10s",
               .summary = "For how long; doubled each time that it happens again.",
               .scope = Scope::kIngress},
    Annotation{.name = "health-path",
               .value = TextValue{"path", "a path such as /healthz, none", set_health_path},
               .default_text = "no checks",
               .summary = "A path that Holdfast asks every pod for; a pod that answers other than "
                          "200 to 399 three times in a row gets no new connections.",
               .scope = Scope::kIngress},
    Annotation{.name = "health-interval",
               .value = DurationValue{model::kHealthIntervalRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.health.mutable_interval(), value);
                                      }},
               .default_text = "10s",
               .summary = "From one check of a pod to the next.",
               .only_with = "health-path",
               .scope = Scope::kIngress},
    Annotation{.name = "health-timeout",
               .value = DurationValue{model::kHealthTimeoutRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.health.mutable_timeout(), value);
                                      }},
               .default_text = "1s",
               .summary = "How long a pod may take to answer a check.",
               .only_with = "health-path",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity",
               .value = ChoiceValue{kAffinities,
                                    [](Draft& draft, int value) {
                                      draft.has_affinity = value != 0;
                                    }},
               .default_text = "none",
               .summary = "Whether a cookie brings a client back to its pod, on any replica (a "
                          "Service without a UID: on the same one).",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-name",
               .value = TextValue{"text", "a cookie's name", set_cookie_name},
               .default_text = kCookieName,
               .summary = "What that cookie is called.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-path",
               .value = TextValue{"path", "a path", set_cookie_path},
               .default_text = "the Ingress's path",
               .summary = "Its Path attribute.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-max-age",
               .value = DurationValue{model::kCookieMaxAgeRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.affinity.mutable_cookie_max_age(), value);
                                      }},
               .default_text = "until the browser is closed",
               .summary = "How long it lives, in whole seconds.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-same-site",
               .value = ChoiceValue{kSameSites,
                                    [](Draft& draft, int value) {
                                      draft.affinity.set_cookie_same_site(
                                          static_cast<v1::SameSite>(value));
                                    }},
               .default_text = "lax",
               .summary = "Its SameSite attribute; none makes it Secure too.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-secure",
               .value = ChoiceValue{kSecures,
                                    [](Draft& draft, int value) {
                                      draft.affinity.set_cookie_secure(
                                          static_cast<v1::Secure>(value));
                                    }},
               .default_text = "auto",
               .summary = "Its Secure attribute; auto: when the request came over TLS.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-cookie-http-only",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.affinity.set_cookie_http_only(value != 0);
                                    }},
               .default_text = "true",
               .summary = "Its HttpOnly attribute.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "affinity-when-gone",
               .value = ChoiceValue{kWhenGone,
                                    [](Draft& draft, int value) {
                                      draft.affinity.set_fail_when_gone(value != 0);
                                    }},
               .default_text = "rebalance",
               .summary = "What a client gets whose pod is gone: another pod and a new cookie, or "
                          "once 503, which takes the cookie away. With rebalance the same holds "
                          "of a pod that is left out, for refused connects or failed checks; "
                          "with fail its clients stay with it.",
               .only_with = "affinity",
               .scope = Scope::kIngress},
    Annotation{.name = "hash-by",
               .value = TextValue{"text",
                                  "client-address, path, header:NAME, cookie:NAME, query:NAME, "
                                  "none",
                                  set_hash_by},
               .default_text = "none",
               .summary = "What sends requests to the same pod, on any replica.",
               .scope = Scope::kIngress},
    Annotation{.name = "hash-balance-factor",
               .value = NumberValue{model::kBalanceFactorRange,
                                    [](Draft& draft, std::uint32_t value) {
                                      draft.hash.set_balance_factor(value);
                                    }},
               .default_text = "125",
               .summary = "The most connections that a pod may have for that, in per cent of the "
                          "mean; beyond it the next pod is used.",
               .only_with = "hash-by",
               .scope = Scope::kIngress},
    Annotation{.name = "websocket-service",
               .value = TextValue{"text", "SERVICE:PORT", set_websocket_service},
               .default_text = "the path's own",
               .summary = "The Service of WebSocket handshakes, where plain requests go to "
                          "another.",
               .scope = Scope::kIngress},
    Annotation{.name = "service-upstream",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.settings.service_upstream = value != 0;
                                    }},
               .default_text = "false",
               .summary = "Whether connections go to the Service's cluster IP, so that the cluster "
                          "or its mesh chooses the pod; nothing that chooses between pods here "
                          "then has an effect.",
               .scope = Scope::kIngress},
    Annotation{.name = "proxy-protocol",
               .value = ChoiceValue{kProxyProtocols,
                                    [](Draft& draft, int value) {
                                      draft.policy().set_proxy_protocol(
                                          static_cast<v1::ProxyProtocol>(value));
                                    }},
               .default_text = "none",
               .summary = "Whether connections to pods begin with a PROXY protocol header."},
    Annotation{.name = "allowed-origins",
               .value = TextValue{"list",
                                  "https://chat.example.com, https://*.example.com, same-origin",
                                  set_allowed_origins},
               .default_text = "every origin",
               .summary = "Whose pages may open a WebSocket; others get 403.",
               .when_wrong = "pages of the other entries may open WebSockets"},
    Annotation{.name = "missing-origin",
               .value = ChoiceValue{kMissingOrigins,
                                    [](Draft& draft, int value) {
                                      draft.origins.set_missing_passes(value != 0);
                                    }},
               .default_text = "deny",
               .summary = "Where allowed-origins is set, whether a handshake without an Origin "
                          "passes, as programs send it.",
               .only_with = "allowed-origins"},
    Annotation{.name = "allow-cidrs",
               .value = TextValue{"list", "10.0.0.0/8, 192.0.2.7, fd00::/8", set_allow_cidrs},
               .default_text = "everybody",
               .summary = "From which addresses clients may come; others get 403.",
               .when_wrong = "only clients of the other entries are served"},
    Annotation{.name = "deny-cidrs",
               .value = TextValue{"list", "10.0.0.0/8, 192.0.2.7, fd00::/8", set_deny_cidrs},
               .default_text = "nobody",
               .summary = "From which addresses clients get 403, whatever else is allowed.",
               .when_wrong = "everybody gets 403"},
    Annotation{.name = "request-headers",
               .value = TextValue{"lines", "\"Name: value\" or \"-Name\", one a line",
                                  set_request_headers},
               .default_text = "none",
               .summary = "Header fields that are set or removed on the way to the pod."},
    Annotation{.name = "response-headers",
               .value = TextValue{"lines", "\"Name: value\" or \"-Name\", one a line",
                                  set_response_headers},
               .default_text = "none",
               .summary = "Header fields that are set or removed in the pod's answers."},
    Annotation{.name = "upstream-host",
               .value = TextValue{"text", "HOST or HOST:PORT", set_upstream_host},
               .default_text = "the client's",
               .summary = "The Host field that pods get."},
    Annotation{.name = "rewrite-prefix",
               .value = TextValue{"path", "a path", set_rewrite_prefix},
               .default_text = "none",
               .summary = "What pods get in place of the Ingress's path; / strips it."},
    Annotation{.name = "traceparent",
               .value = ChoiceValue{kTraceparents,
                                    [](Draft& draft, int value) {
                                      draft.policy().set_traceparent_passed_only(value != 0);
                                    }},
               .default_text = "start",
               .summary = "Whether a request without a valid W3C traceparent gets a new, sampled "
                          "one; with pass, what it has goes on as it came."},
    Annotation{.name = "connect-timeout",
               .value = DurationValue{model::kConnectTimeoutRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.policy().mutable_connect_timeout(), value);
                                      }},
               .default_text = "5s",
               .summary = "How long one try to connect to a pod may take."},
    Annotation{.name = "idle-timeout",
               .value = DurationValue{model::kIdleTimeoutRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.policy().mutable_idle_timeout(), value);
                                      }},
               .default_text = "1h",
               .applies = Applies::kOpenConnections,
               .summary = "How long a WebSocket may stay open without a byte from either side; the "
                          "same for an answer under way."},
    Annotation{.name = "request-timeout",
               .value = DurationValue{model::kRequestTimeoutRange,
                                      [](Draft& draft, base::Duration value) {
                                        assign(*draft.policy().mutable_request_timeout(), value);
                                        assign(*draft.policy().mutable_upgrade_timeout(), value);
                                      }},
               .default_text = "1m, for an upgrade 10s",
               .summary = "How long a pod may take from a request's last byte to the end of its "
                          "answer's head; the same for an upgrade until its 101."},
    Annotation{.name = "ssl-redirect",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.policy().set_https_redirect(value != 0);
                                    }},
               .default_text = "true",
               .summary = "Whether plain requests to a host of some Ingress's spec.tls get a 308 "
                          "to https; those below /.well-known/acme-challenge/ never do.",
               .scope = Scope::kIngress},
    Annotation{.name = "force-ssl-redirect",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.settings.forces_https = value != 0;
                                    }},
               .default_text = "false",
               .summary = "The same whether or not the host is in a spec.tls: for TLS that ends in "
                          "front of Holdfast, at a trusted proxy.",
               .scope = Scope::kIngress},
    Annotation{.name = "hsts-max-age",
               .value = DurationValue{model::kHstsMaxAgeRange,
                                      [](Draft& draft, base::Duration value) {
                                        draft.hsts_max_age = value;
                                      }},
               .default_text = "0s",
               .summary = "For how long browsers are told to use https alone, by answers over TLS; "
                          "0: they are told what the pod tells them.",
               .scope = Scope::kIngress},
    Annotation{.name = "hsts-include-subdomains",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.hsts_subdomains = value != 0;
                                    }},
               .default_text = "false",
               .summary = "Also for every host below this one.",
               .only_with = "hsts-max-age",
               .scope = Scope::kIngress},
    Annotation{.name = "hsts-preload",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.hsts_preload = value != 0;
                                    }},
               .default_text = "false",
               .summary = "And that the host may stand in the list that browsers come with.",
               .only_with = "hsts-max-age",
               .scope = Scope::kIngress},
    Annotation{.name = "backend-protocol",
               .value = ChoiceValue{kBackendProtocols,
                                    [](Draft& draft, int value) {
                                      draft.settings.upstream.tls =
                                          value < 0 ? std::nullopt : std::optional(value != 0);
                                    }},
               .default_text = "auto",
               .summary = "Whether pods are spoken to over TLS; auto: where the Service's port has "
                          "the appProtocol https or kubernetes.io/wss.",
               .scope = Scope::kIngress},
    Annotation{.name = "upstream-tls-name",
               .value = TextValue{"text", "a DNS name or an address", set_upstream_tls_name},
               .default_text = "the Service's: SERVICE.NAMESPACE.svc",
               .summary = "Over TLS, the name that the pods' certificates must have, and the SNI.",
               .scope = Scope::kIngress},
    Annotation{.name = "upstream-tls-secret",
               .value = TextValue{"text", "NAME, none", set_upstream_tls_secret},
               .default_text = "none",
               .summary = "The Secret, in the Ingress's namespace, with what pods' certificates "
                          "must lead to (ca.crt, ca.crl) in place of the machine's own "
                          "authorities, and with a certificate that they are shown (tls.crt, "
                          "tls.key); either may be missing.",
               .when_wrong = "no pod is trusted",
               .scope = Scope::kIngress},
    Annotation{.name = "upstream-tls-verify",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.settings.upstream.unverified = value == 0;
                                    }},
               .default_text = "true",
               .summary = "Whether pods must prove who they are; with false anybody is believed.",
               .scope = Scope::kIngress},
    Annotation{.name = "client-ca-secret",
               .value = TextValue{"text", "NAME, none", set_client_ca_secret},
               .default_text = "none",
               .summary = "The Secret, in the Ingress's namespace, with the authorities (ca.crt) "
                          "and their revocation lists (ca.crl) that clients' certificates must "
                          "lead to; plain requests are then sent to https.",
               .when_wrong = "nobody is let in over TLS",
               .scope = Scope::kIngress},
    Annotation{.name = "client-certificate",
               .value = ChoiceValue{kClientCertificates,
                                    [](Draft& draft, int value) {
                                      draft.settings.client.optional = value != 0;
                                    }},
               .default_text = "required",
               .summary = "Whether a client without a certificate is let in all the same.",
               .only_with = "client-ca-secret",
               .scope = Scope::kIngress},
    Annotation{.name = "client-certificate-depth",
               .value = NumberValue{model::kClientCertificateDepthRange,
                                    [](Draft& draft, std::uint32_t value) {
                                      draft.settings.client.depth = value;
                                    }},
               .default_text = "1",
               .summary = "The most certificates that may stand between a client's and its "
                          "authority's.",
               .only_with = "client-ca-secret",
               .scope = Scope::kIngress},
    Annotation{.name = "client-certificate-to-pod",
               .value = ChoiceValue{kBooleans,
                                    [](Draft& draft, int value) {
                                      draft.settings.client.forwarded = value != 0;
                                    }},
               .default_text = "false",
               .summary = "Whether pods get the certificate itself too (Client-Cert, RFC 9440), "
                          "not only what it says.",
               .only_with = "client-ca-secret",
               .scope = Scope::kIngress},
    Annotation{.name = "max-body-bytes",
               .value = SizeValue{model::kMaxBodyBytesRange,
                                  [](Draft& draft, std::uint64_t value) {
                                    draft.policy().set_max_body_bytes(value);
                                  }},
               .default_text = "no limit",
               .summary = "How long the body of a plain request may be; a longer one is answered "
                          "with 413."},
};

}  // namespace

std::span<const Annotation> annotations() { return kAnnotations; }

v1::RoutePolicy default_policy() {
  v1::RoutePolicy policy;
  policy.set_load_balance(v1::LOAD_BALANCE_LEAST_CONNECTIONS);
  assign(*policy.mutable_connect_timeout(), kConnectTimeout);
  assign(*policy.mutable_idle_timeout(), kIdleTimeout);
  assign(*policy.mutable_request_timeout(), kRequestTimeout);
  assign(*policy.mutable_upgrade_timeout(), kUpgradeTimeout);
  assign(*policy.mutable_slow_start(), kSlowStart);
  policy.set_eject_after(kEjectAfter);
  assign(*policy.mutable_eject_for(), kEjectFor);
  policy.set_https_redirect(true);
  return policy;
}

v1::Affinity default_affinity() {
  v1::Affinity affinity;
  affinity.set_cookie_name(kCookieName);
  affinity.set_cookie_same_site(v1::SAME_SITE_LAX);
  affinity.set_cookie_secure(v1::SECURE_AUTO);
  affinity.set_cookie_http_only(true);
  return affinity;
}

v1::HealthCheck default_health_check() {
  v1::HealthCheck check;
  assign(*check.mutable_interval(), kHealthInterval);
  assign(*check.mutable_timeout(), kHealthTimeout);
  return check;
}

ClientSettings default_client_settings() {
  ClientSettings client;
  client.depth = kClientCertificateDepth;
  return client;
}

}  // namespace holdfast::controller
