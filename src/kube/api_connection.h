#pragma once

// One connection to an API server, on which requests go out one after the other and responses
// come back, as a coroutine's worth of I/O: connect when needed, send, read the head, read the body
// in pieces. Kept open between requests where the server allows it, so that a list of many pages
// and the watch after it cost one handshake.
//
// Control thread only. Held by a shared_ptr, which the coroutines that run it keep. Every wait has
// a deadline; cancel() ends the wait under way and all later ones. Failures are values.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "kube/api_server.h"
#include "kube/reflector.h"
#include "kube/response_reader.h"
#include "kube/stream.h"

namespace holdfast::kube {

class ApiConnection : public std::enable_shared_from_this<ApiConnection> {
 public:
  ApiConnection(boost::asio::io_context& context, std::shared_ptr<ApiServer> server);

  /// Sends the request, and reads until the head of a 200 or 201 response. An answer with another
  /// status is a failure of kind kStatus, its body read; a 401 is tried once more when there is a
  /// newer token. A request may arrive twice, where a connection broke before its answer.
  boost::asio::awaitable<std::optional<Failure>> send(ApiRequest request);
  /// send() of a GET.
  boost::asio::awaitable<std::optional<Failure>> get(std::string target);

  /// Appends the next piece of the body. Absent, with nothing appended: the body is complete.
  /// limit_body()'s time counts from the last call with a value.
  boost::asio::awaitable<std::optional<Failure>> read_body(std::string& out);
  /// The rest of this response must come within `time`.
  void limit_body(base::Duration time) { arm(time); }
  [[nodiscard]] bool body_done() const { return response_.done(); }

  void close();
  void cancel();

 private:
  using Outcome = boost::asio::awaitable<std::optional<Failure>>;

  Outcome try_send(const ApiRequest& request, const std::string& token);
  Outcome exchange_heads(const std::string& request, bool& answered);
  Outcome connect();
  Outcome read_status_failure();
  /// Reads once and feeds the response.
  Outcome advance();
  Failure io_failure(FailureKind kind, const std::string& detail) const;
  void arm(base::Duration time);
  void disarm();

  // Fixed after construction.
  boost::asio::io_context& context_;
  const std::shared_ptr<ApiServer> server_;

  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::steady_timer deadline_;
  /// Tells an expiry that was already queued from the deadline that replaced it.
  std::uint64_t deadline_generation_ = 0;
  bool timed_out_ = false;
  bool cancelled_ = false;
  std::unique_ptr<Stream> stream_;
  ResponseReader response_;
  std::string read_buffer_;
};

}  // namespace holdfast::kube
