#pragma once

// Certificates made when a test runs: an authority, and what it signs. As PEM, so that what is
// tested parses them.

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <stdexcept>
#include <string>

#include "tls/openssl.h"

namespace holdfast::tls {

struct CertificateText {
  std::string chain;
  std::string key;
};

/// What a test asks of a certificate.
struct CertificateWish {
  std::string name;
  /// "DNS:a.test,DNS:*.b.test"; empty: no subjectAltName.
  std::string alternatives = {};
  bool authority = false;
  /// "RSA", or an elliptic curve.
  std::string key = "P-256";
  std::time_t from = 0;
  std::time_t to = 0;
};

/// Signs with its own key; `issuer` null: by itself.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name) {
    const CertificateText text = make({.name = name, .authority = true}, nullptr);
    chain_ = text.chain;
  }

  [[nodiscard]] const std::string& chain() const { return chain_; }
  CertificateText issue(const CertificateWish& wish) { return make(wish, this); }

  /// A revocation list with that certificate in it, or an empty one.
  [[nodiscard]] std::string revoke(const std::string& chain) const {
    const std::unique_ptr<X509_CRL, Free<X509_CRL_free>> list(X509_CRL_new());
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get()));
    const std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>> from(X509_gmtime_adj(nullptr, -3600));
    const std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>> to(X509_gmtime_adj(nullptr, 3600));
    X509_CRL_set1_lastUpdate(list.get(), from.get());
    X509_CRL_set1_nextUpdate(list.get(), to.get());
    if (!chain.empty()) {
      const BioPtr bio = reader(chain);
      const X509Ptr revoked(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
      X509_REVOKED* entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked.get()));
      X509_REVOKED_set_revocationDate(entry, from.get());
      X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_CRL_sign(list.get(), key_.get(), EVP_sha256());
    return text([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, list.get()); });
  }

 private:
  template <class Write>
  static std::string text(Write write) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (write(bio.get()) != 1) throw std::runtime_error("cannot write PEM: " + take_error());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
  }

  static void add_extension(X509* certificate, int kind, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()));
    if (X509_add_ext(certificate, extension.get(), -1) != 1) {
      throw std::runtime_error("cannot add an extension: " + take_error());
    }
  }

  CertificateText make(const CertificateWish& wish, const TestAuthority* issuer) {
    KeyPtr key(wish.key == "RSA" ? EVP_RSA_gen(2048) : EVP_EC_gen(wish.key.c_str()));
    X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
    const std::time_t now = std::time(nullptr);
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), wish.from != 0 ? wish.from : now - 3600);
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), wish.to != 0 ? wish.to : now + 86400);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.name.data()),
                               static_cast<int>(wish.name.size()), -1, 0);
    X509_set_issuer_name(
        certificate.get(),
        issuer == nullptr ? subject : X509_get_subject_name(issuer->certificate_.get()));
    X509_set_pubkey(certificate.get(), key.get());
    if (wish.authority) add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    if (!wish.alternatives.empty()) {
      add_extension(certificate.get(), NID_subject_alt_name, wish.alternatives);
    }
    EVP_PKEY* signer = issuer == nullptr ? key.get() : issuer->key_.get();
    if (X509_sign(certificate.get(), signer, EVP_sha256()) <= 0) {
      throw std::runtime_error("cannot sign: " + take_error());
    }
    CertificateText made;
    made.chain = text([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
    made.key = text([&](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    if (issuer == nullptr) {
      certificate_ = std::move(certificate);
      key_ = std::move(key);
    }
    return made;
  }

  X509Ptr certificate_;
  KeyPtr key_;
  std::string chain_;
  long serial_ = 0;
};

}  // namespace holdfast::tls
