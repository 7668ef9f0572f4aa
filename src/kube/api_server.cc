#include "kube/api_server.h"

#include <cctype>
#include <utility>

namespace holdfast::kube {

ApiServer::ApiServer(ClusterConfig config, ApiServerOptions options, const base::Clock& clock,
                     const base::Log& log)
    : config_(std::move(config)),
      options_(options),
      log_(log),
      tokens_(config_.token, config_.token_file, clock, log),
      certificates_(config_, clock) {}

base::StatusOr<std::shared_ptr<TlsSettings>> ApiServer::tls() {
  if (config_.plain_http) return std::shared_ptr<TlsSettings>();
  if (std::optional<Certificates> changed = certificates_.changed()) {
    base::StatusOr<std::shared_ptr<TlsSettings>> settings = make_tls_settings(config_, *changed);
    if (settings.ok()) {
      certificates_.accept(*std::move(changed));
      tls_ = *std::move(settings);
    } else {
      const std::string reason(settings.status().message());
      log_.warn("certificate files unusable, keeping what they said before",
                {{"reason", std::string_view(reason)}});
    }
  }
  if (tls_ == nullptr) {
    base::StatusOr<std::shared_ptr<TlsSettings>> settings =
        make_tls_settings(config_, certificates_.current());
    if (!settings.ok()) return settings.status();
    tls_ = *std::move(settings);
  }
  return tls_;
}

std::string ApiServer::serialize(const ApiRequest& request, const std::string& token) const {
  const bool ipv6 = config_.host.find(':') != std::string::npos;
  // No Accept-Encoding: a compressed watch is one gzip member a flush, for nothing on a local net.
  std::string text = request.method;
  text.append(" ").append(config_.base_path).append(request.target).append(" HTTP/1.1\r\nHost: ");
  text += ipv6 ? "[" + config_.host + "]" : config_.host;
  text.append(":").append(config_.port).append("\r\nAccept: ").append(request.accept);
  text += "\r\nUser-Agent: holdfast\r\n";
  if (!token.empty()) text.append("Authorization: Bearer ").append(token).append("\r\n");
  if (!request.content_type.empty()) {
    text.append("Content-Type: ").append(request.content_type).append("\r\nContent-Length: ");
    text.append(std::to_string(request.body.size())).append("\r\n");
  }
  text.append("\r\n").append(request.body);
  return text;
}

std::string percent_encoded(const std::string& text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      result += static_cast<char>(c);
    } else {
      result += {'%', kHex[c >> 4], kHex[c & 15]};
    }
  }
  return result;
}

}  // namespace holdfast::kube
