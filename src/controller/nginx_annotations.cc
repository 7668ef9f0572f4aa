#include "controller/nginx_annotations.h"

#include <algorithm>
#include <array>

namespace holdfast::controller {

namespace {

using Likeness = NginxAnnotation::Likeness;

constexpr auto kNginxAnnotations = std::to_array<NginxAnnotation>({
    {"affinity", "affinity", Likeness::kSame},
    {"allowlist-source-range", "allow-cidrs", Likeness::kSame},
    {"auth-tls-pass-certificate-to-upstream", "client-certificate-to-pod", Likeness::kNear},
    {"auth-tls-secret", "client-ca-secret", Likeness::kNear},
    {"auth-tls-verify-client", "client-certificate", Likeness::kNear},
    {"auth-tls-verify-depth", "client-certificate-depth", Likeness::kSame},
    {"backend-protocol", "backend-protocol", Likeness::kNear},
    {"custom-headers", "response-headers", Likeness::kNear},
    {"denylist-source-range", "deny-cidrs", Likeness::kSame},
    {"force-ssl-redirect", "force-ssl-redirect", Likeness::kSame},
    {"load-balance", "load-balance", Likeness::kNear},
    {"proxy-body-size", "max-body-bytes", Likeness::kNear},
    {"proxy-connect-timeout", "connect-timeout", Likeness::kNear},
    {"proxy-read-timeout", "idle-timeout", Likeness::kNear},
    {"proxy-send-timeout", "idle-timeout", Likeness::kNear},
    {"proxy-ssl-name", "upstream-tls-name", Likeness::kSame},
    {"proxy-ssl-secret", "upstream-tls-secret", Likeness::kNear},
    {"proxy-ssl-verify", "upstream-tls-verify", Likeness::kNear},
    {"rewrite-target", "rewrite-prefix", Likeness::kNear},
    {"service-upstream", "service-upstream", Likeness::kSame},
    {"session-cookie-change-on-failure", "affinity-when-gone", Likeness::kNear},
    {"session-cookie-expires", "affinity-cookie-max-age", Likeness::kNear},
    {"session-cookie-max-age", "affinity-cookie-max-age", Likeness::kNear},
    {"session-cookie-name", "affinity-cookie-name", Likeness::kSame},
    {"session-cookie-path", "affinity-cookie-path", Likeness::kSame},
    {"session-cookie-samesite", "affinity-cookie-same-site", Likeness::kNear},
    {"session-cookie-secure", "affinity-cookie-secure", Likeness::kSame},
    {"ssl-redirect", "ssl-redirect", Likeness::kSame},
    {"upstream-hash-by", "hash-by", Likeness::kNear},
    {"upstream-vhost", "upstream-host", Likeness::kSame},
    {"whitelist-source-range", "allow-cidrs", Likeness::kSame},
    // Bodies are streamed both ways, and every Service takes WebSockets.
    {"client-body-buffer-size", "", Likeness::kNotNeeded},
    {"enable-websocket", "", Likeness::kNotNeeded},
    {"enable-websockets", "", Likeness::kNotNeeded},
    {"proxy-buffer-size", "", Likeness::kNotNeeded},
    {"proxy-buffering", "", Likeness::kNotNeeded},
    {"proxy-buffers-number", "", Likeness::kNotNeeded},
    {"proxy-busy-buffers-size", "", Likeness::kNotNeeded},
    {"proxy-http-version", "", Likeness::kNotNeeded},
    {"proxy-max-temp-file-size", "", Likeness::kNotNeeded},
    {"proxy-request-buffering", "", Likeness::kNotNeeded},
    {"websocket-services", "", Likeness::kNotNeeded},
});

}  // namespace

std::span<const NginxAnnotation> nginx_annotations() { return kNginxAnnotations; }

std::optional<NginxAnnotation> find_nginx_annotation(std::string_view name) {
  const auto* found = std::find_if(kNginxAnnotations.begin(), kNginxAnnotations.end(),
                                   [&](const auto& known) { return known.name == name; });
  return found == kNginxAnnotations.end() ? std::nullopt : std::optional(*found);
}

}  // namespace holdfast::controller
