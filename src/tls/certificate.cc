#include "tls/certificate.h"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/ascii.h"
#include "base/hex.h"
#include "tls/limits.h"
#include "tls/pem.h"

namespace holdfast::tls {

namespace {

using base::Status;

base::WallTime to_wall_time(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string one_line(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string fingerprint_of(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return "";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) base::append_hex(hex, digest[i], 2);
  return hex;
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* all = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(
        base::lower_case({bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  const bool has_alternatives = all != nullptr;
  GENERAL_NAMES_free(all);
  if (has_alternatives) return names;
  char common_name[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                             common_name, sizeof common_name);
  if (size > 0) names.push_back(base::lower_case({common_name, static_cast<std::size_t>(size)}));
  return names;
}

Status check_key(EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && (bits < kRsaBitsLeast || bits > kRsaBitsMost)) {
    return absl::InvalidArgumentError("the key is RSA of " + std::to_string(bits) +
                                      " bits: between " + std::to_string(kRsaBitsLeast) + " and " +
                                      std::to_string(kRsaBitsMost) + " are served");
  }
  return absl::OkStatus();
}

}  // namespace

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts facts;
  facts.names = names_of(certificate);
  facts.subject = one_line(X509_get_subject_name(certificate));
  facts.issuer = one_line(X509_get_issuer_name(certificate));
  facts.fingerprint = fingerprint_of(certificate);
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const char* type = key == nullptr ? nullptr : EVP_PKEY_get0_type_name(key);
  if (type != nullptr) facts.key_type = type;
  facts.not_before = to_wall_time(X509_get0_notBefore(certificate));
  facts.not_after = to_wall_time(X509_get0_notAfter(certificate));
  return facts;
}

base::StatusOr<std::shared_ptr<const Certificate>> Certificate::parse(std::string_view chain,
                                                                      std::string_view key) {
  auto certificates = read_certificates(chain, kChainCertificatesMost);
  if (!certificates.ok()) return certificates.status();
  auto private_key = read_private_key(key);
  if (!private_key.ok()) return private_key.status();
  std::shared_ptr<Certificate> made(new Certificate);
  made->key_ = *std::move(private_key);
  made->leaf_ = std::move(certificates->front());
  made->chain_.reset(sk_X509_new_null());
  if (made->chain_ == nullptr) return absl::ResourceExhaustedError(take_error());
  for (std::size_t i = 1; i < certificates->size(); ++i) {
    sk_X509_push(made->chain_.get(), (*certificates)[i].release());
  }
  if (Status status = made->settle(); !status.ok()) return status;
  return made;
}

Status Certificate::settle() {
  if (Status status = check_key(key_.get()); !status.ok()) return status;
  if (X509_check_private_key(leaf_.get(), key_.get()) != 1) {
    take_error();
    return absl::InvalidArgumentError("the private key is not that of the first certificate");
  }
  facts_ = facts_of(leaf_.get());
  return absl::OkStatus();
}

bool Certificate::covers(std::string_view host) const {
  return std::any_of(facts_.names.begin(), facts_.names.end(), [&](const std::string& name) {
    if (name == host) return true;
    if (!name.starts_with("*.") || host.starts_with("*.")) return false;
    const std::size_t dot = host.find('.');
    return dot != 0 && dot != std::string_view::npos && host.substr(dot) == name.substr(1);
  });
}

}  // namespace holdfast::tls
