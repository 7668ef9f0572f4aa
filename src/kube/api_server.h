#pragma once

// What all connections to one API server share: where it is, how to show who we are, whom to trust,
// and how patient to be. Control thread only; shared by the watchers of all kinds.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "kube/credentials.h"
#include "kube/limits.h"
#include "kube/reflector.h"
#include "kube/source.h"
#include "kube/stream.h"

namespace holdfast::kube {

/// What tests make shorter.
struct ApiServerOptions {
  ReflectorOptions reflector;
  base::Duration connect_timeout = kConnectTimeout;
  base::Duration head_timeout = kHeadTimeout;
  base::Duration body_timeout = kBodyTimeout;
  base::Duration watch_slack = kWatchSlack;
  std::size_t event_bytes = kEventBytes;
  std::size_t list_objects = kListObjects;
  std::size_t list_bytes = kListBytes;
};

/// One request to an API server.
struct ApiRequest {
  std::string method = "GET";
  /// Path and query.
  std::string target;
  std::string accept = "application/json";
  /// Of the body; empty: there is none.
  std::string content_type = {};
  std::string body = {};
};

/// A query value (RFC 3986, 2.1). Resource versions and continue tokens are opaque.
std::string percent_encoded(const std::string& text);

class ApiServer {
 public:
  ApiServer(ClusterConfig config, ApiServerOptions options, const base::Clock& clock,
            const base::Log& log);

  /// For the next connection: null for plain TCP. Takes up changed certificate authorities and a
  /// changed client certificate; connections that are open keep theirs.
  base::StatusOr<std::shared_ptr<TlsSettings>> tls();
  /// The bytes of a request.
  [[nodiscard]] std::string serialize(const ApiRequest& request, const std::string& token) const;

  [[nodiscard]] const ClusterConfig& config() const { return config_; }
  [[nodiscard]] const ApiServerOptions& options() const { return options_; }
  TokenSource& tokens() { return tokens_; }
  /// A request came to nothing: the certificate files are read again before the next connection.
  void doubt_certificates() { certificates_.look_again(); }

 private:
  const ClusterConfig config_;
  const ApiServerOptions options_;
  const base::Log& log_;
  TokenSource tokens_;
  CertificateSource certificates_;
  std::shared_ptr<TlsSettings> tls_;
};

}  // namespace holdfast::kube
