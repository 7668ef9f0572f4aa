#include "kube/api_server.h"

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

std::string ApiServer::request(const std::string& target, const std::string& token) const {
  const bool ipv6 = config_.host.find(':') != std::string::npos;
  // No Accept-Encoding: a compressed watch is one gzip member a flush, for nothing on a local net.
  std::string text = "GET " + config_.base_path + target + " HTTP/1.1\r\nHost: ";
  text += ipv6 ? "[" + config_.host + "]" : config_.host;
  text += ":" + config_.port + "\r\nAccept: application/json\r\nUser-Agent: holdfast\r\n";
  if (!token.empty()) text += "Authorization: Bearer " + token + "\r\n";
  return text + "\r\n";
}

}  // namespace holdfast::kube
