#include "kube/credentials.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {
namespace {

/// A token goes into a header line; anything but visible ASCII would end it early.
std::string usable_token(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  std::string token = text.substr(first, last - first + 1);
  const bool visible =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  return visible ? token : std::string();
}

}  // namespace

base::StatusOr<std::string> read_credential_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(path + ": cannot be opened");
  std::string text(kCredentialFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return absl::UnavailableError(path + ": cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kCredentialFileBytes) return absl::OutOfRangeError(path + ": too large");
  return text;
}

TokenSource::TokenSource(const std::string& fixed, std::string file, const base::Clock& clock,
                         const base::Log& log)
    : file_(std::move(file)), clock_(clock), log_(log), token_(usable_token(fixed)) {}

const std::string& TokenSource::token() {
  if (!file_.empty() && (!read_at_ || clock_.now() - *read_at_ >= kTokenRefresh)) read();
  return token_;
}

bool TokenSource::renew(const std::string& refused) {
  if (!file_.empty()) read();
  return !token_.empty() && token_ != refused;
}

void TokenSource::read() {
  read_at_ = clock_.now();
  const base::StatusOr<std::string> text = read_credential_file(file_);
  std::string token = text.ok() ? usable_token(*text) : std::string();
  if (token.empty()) {
    log_.warn("token file unusable, keeping the last token", {{"file", std::string_view(file_)}});
    return;
  }
  token_ = std::move(token);
}

CertificateSource::CertificateSource(const ClusterConfig& config, const base::Clock& clock)
    : config_(config),
      clock_(clock),
      current_{.authorities = config.ca_pem,
               .client_certificate = config.client_certificate_pem,
               .client_key = config.client_key_pem} {}

std::optional<Certificates> CertificateSource::changed() {
  if (read_at_ && clock_.now() - *read_at_ < kCertificateRefresh) return std::nullopt;
  read_at_ = clock_.now();
  Certificates fresh = current_;
  const auto read = [](const std::string& file, std::string& pem) {
    if (file.empty()) return;
    base::StatusOr<std::string> text = read_credential_file(file);
    if (text.ok() && !text->empty()) pem = *std::move(text);
  };
  read(config_.ca_file, fresh.authorities);
  read(config_.client_certificate_file, fresh.client_certificate);
  read(config_.client_key_file, fresh.client_key);
  if (fresh == current_) return std::nullopt;
  return fresh;
}

}  // namespace holdfast::kube
