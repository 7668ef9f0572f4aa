#include "tls/server_identity.h"

#include <openssl/sha.h>

#include <utility>

namespace holdfast::tls {

ServerIdentity::ServerIdentity(std::string host, const std::vector<std::string>& certificate_names,
                               std::vector<CertificatePtr> certificates, ClientPolicy client,
                               std::string_view authorities_name)
    : host_(std::move(host)), certificates_(std::move(certificates)), client_(std::move(client)) {
  std::string policy = std::to_string(static_cast<int>(client_.ask));
  if (client_.ask != ClientPolicy::Ask::kNothing) {
    policy.append(" ").append(std::to_string(client_.depth)).append(" ").append(authorities_name);
  }
  for (const std::string& name : certificate_names) key_.append(name).append("\n");
  key_ += policy;
  // Other authorities under the same name end sessions too.
  const std::string contents =
      client_.authorities == nullptr ? std::string() : client_.authorities->fingerprint();
  const std::string bound = host_ + "\n" + policy + "\n" + contents;
  SHA256(reinterpret_cast<const unsigned char*>(bound.data()), bound.size(), binding_.data());
}

}  // namespace holdfast::tls
