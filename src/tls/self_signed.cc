#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <string>

#include "tls/certificate.h"
#include "tls/limits.h"

namespace holdfast::tls {

namespace {

/// RFC 5280 section 4.1.2.2: unique and positive, up to 20 bytes.
constexpr int kSerialBits = 127;

bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Free<BN_free>> number(BN_new());
  return number != nullptr &&
         BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_names(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* bytes = reinterpret_cast<const unsigned char*>(name.data());
  const std::string alternatives = "DNS:" + name;
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternatives.c_str()));
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, bytes,
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1 && extension != nullptr &&
         X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool set_validity(X509* certificate, base::WallTime now) {
  const std::time_t from = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  const std::time_t to = from + std::chrono::seconds(kSelfSignedFor).count();
  return ASN1_TIME_set(X509_getm_notBefore(certificate), from) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), to) != nullptr;
}

}  // namespace

base::StatusOr<std::shared_ptr<const Certificate>> Certificate::make_self_signed(
    const std::string& name, base::WallTime now) {
  std::shared_ptr<Certificate> made(new Certificate);
  made->key_.reset(EVP_EC_gen("P-256"));
  made->leaf_.reset(X509_new());
  made->chain_.reset(sk_X509_new_null());
  X509* leaf = made->leaf_.get();
  const bool ok = made->key_ != nullptr && leaf != nullptr && made->chain_ != nullptr &&
                  X509_set_version(leaf, X509_VERSION_3) == 1 && set_serial(leaf) &&
                  set_names(leaf, name) && set_validity(leaf, now) &&
                  X509_set_pubkey(leaf, made->key_.get()) == 1 &&
                  X509_sign(leaf, made->key_.get(), EVP_sha256()) > 0;
  if (!ok) return absl::InternalError("no certificate can be made: " + take_error());
  if (base::Status status = made->settle(); !status.ok()) return status;
  return made;
}

}  // namespace holdfast::tls
