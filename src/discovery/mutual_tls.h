#pragma once

// Certificates of both ends of the stream, for addresses that others can reach. Any thread.

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

namespace holdfast::discovery {

/// Paths of PEM files, as a mounted Secret of type kubernetes.io/tls has them. All are set or none.
/// gRPC looks for new ones every kCertificateLook; open streams go on with what they began with.
struct TlsFiles {
  std::string certificate;
  std::string key;
  /// Which the other end's certificate must lead to.
  std::string authorities;

  [[nodiscard]] bool empty() const { return certificate.empty(); }
};

/// Of a server that demands a certificate of its clients. Where `files` are empty: without TLS.
std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files);
/// Of a client that shows one, and demands that the server's has the name that it connects to.
std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files);

}  // namespace holdfast::discovery
