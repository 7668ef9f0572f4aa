#include "discovery/mutual_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "discovery/limits.h"

namespace holdfast::discovery {

namespace {

namespace experimental = grpc::experimental;

std::shared_ptr<experimental::CertificateProviderInterface> follow(const TlsFiles& files) {
  return std::make_shared<experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.authorities,
      static_cast<unsigned>(kCertificateLook.count()));
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files) {
  if (files.empty()) return grpc::InsecureServerCredentials();
  experimental::TlsServerCredentialsOptions options(follow(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files) {
  if (files.empty()) return grpc::InsecureChannelCredentials();
  experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(follow(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  return experimental::TlsCredentials(options);
}

}  // namespace holdfast::discovery
