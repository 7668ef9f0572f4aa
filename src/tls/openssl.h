#pragma once

// OpenSSL's objects as owners, and its error queue as text. Any thread; the queue is the thread's.

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace holdfast::tls {

template <auto kFree>
struct Free {
  template <class Object>
  void operator()(Object* object) const {
    kFree(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;

/// A read-only BIO over `bytes`, which must outlive it. Null when memory is out.
BioPtr reader(std::string_view bytes);

/// The oldest error of this thread's queue in OpenSSL's words, "" when there is none; empties the
/// queue.
std::string take_error();

/// The same without the words: a reason for a log or a metric, such as "no shared cipher".
std::string take_reason();

/// Overwrites the bytes, then lets them go. For private keys.
void wipe(std::string& secret);

}  // namespace holdfast::tls
