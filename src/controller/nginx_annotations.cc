#include "controller/nginx_annotations.h"

#include <algorithm>
#include <array>

namespace holdfast::controller {

namespace {

constexpr auto kAnnotations = std::to_array<NginxAnnotation>({
    {"affinity", "affinity"},
    {"allowlist-source-range", "allow-cidrs"},
    {"custom-headers", "response-headers"},
    {"denylist-source-range", "deny-cidrs"},
    {"load-balance", "load-balance"},
    {"proxy-body-size", "max-body-bytes"},
    {"proxy-connect-timeout", "connect-timeout"},
    {"proxy-read-timeout", "idle-timeout"},
    {"proxy-send-timeout", "idle-timeout"},
    {"rewrite-target", "rewrite-prefix"},
    {"session-cookie-change-on-failure", "affinity-when-gone"},
    {"session-cookie-expires", "affinity-cookie-max-age"},
    {"session-cookie-max-age", "affinity-cookie-max-age"},
    {"session-cookie-name", "affinity-cookie-name"},
    {"session-cookie-path", "affinity-cookie-path"},
    {"session-cookie-samesite", "affinity-cookie-same-site"},
    {"session-cookie-secure", "affinity-cookie-secure"},
    {"upstream-hash-by", "hash-by"},
    {"upstream-vhost", "upstream-host"},
    {"whitelist-source-range", "allow-cidrs"},
    // Bodies are streamed both ways, and every Service takes WebSockets.
    {"client-body-buffer-size", ""},
    {"enable-websocket", ""},
    {"enable-websockets", ""},
    {"proxy-buffer-size", ""},
    {"proxy-buffering", ""},
    {"proxy-buffers-number", ""},
    {"proxy-busy-buffers-size", ""},
    {"proxy-http-version", ""},
    {"proxy-max-temp-file-size", ""},
    {"proxy-request-buffering", ""},
    {"websocket-services", ""},
});

}  // namespace

std::span<const NginxAnnotation> nginx_annotations() { return kAnnotations; }

std::optional<NginxAnnotation> find_nginx_annotation(std::string_view name) {
  const auto* found = std::find_if(kAnnotations.begin(), kAnnotations.end(),
                                   [&](const auto& known) { return known.name == name; });
  return found == kAnnotations.end() ? std::nullopt : std::optional(*found);
}

}  // namespace holdfast::controller
