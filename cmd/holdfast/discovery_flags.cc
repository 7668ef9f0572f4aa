#include "discovery_flags.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

#include "discovery/address.h"
#include "tls/certificate.h"
#include "tls/trust_bundle.h"

namespace holdfast {
namespace {

discovery::TlsFiles discovery_files(const Options& options) {
  return {options.discovery_certificate, options.discovery_key, options.discovery_ca};
}

base::Status check_address(const std::string& flag, const std::string& text, bool with_tls) {
  const auto address = discovery::parse_address(text, with_tls);
  return address.ok() ? base::Status() : bad_flag(flag, std::string(address.status().message()));
}

base::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in.is_open() || in.bad()) {
    return absl::NotFoundError("\"" + path +
                               "\" cannot be read: " + std::generic_category().message(errno));
  }
  return text;
}

/// Wrong files are told at once: later, gRPC would refuse every handshake without a word.
base::Status check_files(const discovery::TlsFiles& files) {
  const auto certificate = read_file(files.certificate);
  if (!certificate.ok()) {
    return bad_flag("--discovery-certificate", std::string(certificate.status().message()));
  }
  const auto key = read_file(files.key);
  if (!key.ok()) return bad_flag("--discovery-key", std::string(key.status().message()));
  const auto authorities = read_file(files.authorities);
  if (!authorities.ok()) {
    return bad_flag("--discovery-ca", std::string(authorities.status().message()));
  }
  if (const auto parsed = tls::Certificate::parse(*certificate, *key); !parsed.ok()) {
    return bad_flag("--discovery-certificate", std::string(parsed.status().message()));
  }
  if (const auto parsed = tls::TrustBundle::parse(*authorities, ""); !parsed.ok()) {
    return bad_flag("--discovery-ca", std::string(parsed.status().message()));
  }
  return {};
}

base::Status check_security(const Options& options) {
  const discovery::TlsFiles files = discovery_files(options);
  const bool all = !files.certificate.empty() && !files.key.empty() && !files.authorities.empty();
  const bool none = files.certificate.empty() && files.key.empty() && files.authorities.empty();
  if (!all && !none) {
    return bad_flag("--discovery-certificate",
                    "it, --discovery-key and --discovery-ca need each other");
  }
  if (none && !options.discovery_allow.empty()) {
    return bad_flag("--discovery-allow", "without --discovery-certificate nobody has an identity");
  }
  if (all && !options.discovery_listen.empty() && options.discovery_allow.empty()) {
    return bad_flag("--discovery-listen",
                    "with --discovery-certificate it needs --discovery-allow: else nobody may see "
                    "anything");
  }
  base::Status status;
  for (const std::string& text : options.discovery_allow) {
    const auto grant = discovery::parse_grant(text);
    if (!grant.ok()) {
      status.Update(bad_flag("--discovery-allow",
                             "\"" + text + "\": " + std::string(grant.status().message())));
    }
  }
  if (all) status.Update(check_files(files));
  return status;
}

}  // namespace

base::Status check_discovery_flags(const Options& options) {
  const bool with_tls = !options.discovery_certificate.empty();
  base::Status status;
  if (!options.discovery_listen.empty()) {
    status.Update(check_address("--discovery-listen", options.discovery_listen, with_tls));
  }
  if (!options.discovery.empty()) {
    status.Update(check_address("--discovery", options.discovery, with_tls));
  }
  status.Update(check_security(options));
  return status;
}

discovery::ServerSecurity server_security(const Options& options) {
  discovery::ServerSecurity security;
  security.files = discovery_files(options);
  for (const std::string& text : options.discovery_allow) {
    auto grant = discovery::parse_grant(text);
    if (grant.ok()) security.grants.push_back(*std::move(grant));
  }
  return security;
}

discovery::ChannelSecurity channel_security(const Options& options) {
  return {discovery_files(options), options.discovery_server_name};
}

}  // namespace holdfast
