#pragma once

// A TCP connection to an API server, with or without TLS, behind one face, so that everything above
// it is compiled once. Control thread only. Owned by an ApiConnection. Errors are error_code
// values; close() ends whatever is under way with operation_aborted.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "base/status.h"
#include "kube/credentials.h"
#include "kube/source.h"

namespace holdfast::kube {

class Stream {
 public:
  using Endpoints = boost::asio::ip::tcp::resolver::results_type;
  using Error = boost::system::error_code;

  virtual ~Stream() = default;
  /// TCP to the first endpoint that answers, then the TLS handshake. An error is one sentence.
  virtual boost::asio::awaitable<base::Status> connect(const Endpoints& endpoints) = 0;
  virtual boost::asio::awaitable<std::size_t> read_some(boost::asio::mutable_buffer buffer,
                                                        Error& error) = 0;
  virtual boost::asio::awaitable<void> write(boost::asio::const_buffer buffer, Error& error) = 0;
  virtual void close() = 0;
};

/// The TLS side of a ClusterConfig: trust, client certificate, the name to verify. Shared by the
/// connections that were made with it.
class TlsSettings;
base::StatusOr<std::shared_ptr<TlsSettings>> make_tls_settings(const ClusterConfig& config,
                                                               const Certificates& certificates);

/// Without settings: plain TCP.
std::unique_ptr<Stream> make_stream(boost::asio::io_context& context,
                                    std::shared_ptr<TlsSettings> settings);

}  // namespace holdfast::kube
