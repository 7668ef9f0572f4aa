#include "kube/api_connection.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {

namespace asio = boost::asio;

namespace {

/// Retry-After in seconds (RFC 9110, 10.2.3); the API server does not send dates.
std::optional<std::chrono::seconds> retry_after_of(const ResponseReader& response) {
  const std::string text = response.header("Retry-After");
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace

ApiConnection::ApiConnection(asio::io_context& context, std::shared_ptr<ApiServer> server)
    : context_(context),
      server_(std::move(server)),
      resolver_(context),
      deadline_(context),
      read_buffer_(kReadBytes, '\0') {}

asio::awaitable<std::optional<Failure>> ApiConnection::get(std::string target) {
  return send({.target = std::move(target)});
}

asio::awaitable<std::optional<Failure>> ApiConnection::send(ApiRequest request) {
  const std::string token = server_->tokens().token();
  std::optional<Failure> failure = co_await try_send(request, token);
  const bool unauthorized = failure && failure->status.code == 401 && !cancelled_;
  if (unauthorized && server_->tokens().renew(token)) {
    const std::string newer = server_->tokens().token();
    failure = co_await try_send(request, newer);
  }
  if (failure) server_->doubt_certificates();
  disarm();
  co_return failure;
}

ApiConnection::Outcome ApiConnection::try_send(const ApiRequest& wanted,
                                               const std::string& token) {
  const std::string request = server_->serialize(wanted, token);
  const bool reused = stream_ != nullptr && response_.reusable();
  bool answered = false;
  if (!reused) {
    if (std::optional<Failure> failure = co_await connect()) co_return failure;
  }
  std::optional<Failure> failure = co_await exchange_heads(request, answered);
  if (failure && reused && !answered && !timed_out_ && !cancelled_) {
    // The server closed a connection that had been idle: that says nothing about this request.
    if (std::optional<Failure> refused = co_await connect()) co_return refused;
    failure = co_await exchange_heads(request, answered);
  }
  if (failure) co_return failure;
  const bool succeeded = response_.status() == 200 || response_.status() == 201;
  if (!succeeded) co_return co_await read_status_failure();
  const std::string encoding = response_.header("Content-Encoding");
  if (!encoding.empty() && encoding != "identity") {
    close();
    co_return Failure{FailureKind::kMalformed, {}, "a content coding that was not asked for"};
  }
  co_return std::nullopt;
}

ApiConnection::Outcome ApiConnection::connect() {
  close();
  const base::StatusOr<std::shared_ptr<TlsSettings>> tls = server_->tls();
  if (!tls.ok()) co_return io_failure(FailureKind::kConnect, std::string(tls.status().message()));
  arm(server_->options().connect_timeout);
  const ClusterConfig& config = server_->config();
  boost::system::error_code error;
  const Stream::Endpoints endpoints = co_await resolver_.async_resolve(
      config.host, config.port, asio::redirect_error(asio::use_awaitable, error));
  if (error || cancelled_ || timed_out_) {
    co_return io_failure(FailureKind::kConnect,
                         "cannot resolve " + config.host + ": " + error.message());
  }
  stream_ = make_stream(context_, *tls);
  const base::Status status = co_await stream_->connect(endpoints);
  if (status.ok() && !cancelled_ && !timed_out_) co_return std::nullopt;
  const Failure failure = io_failure(FailureKind::kConnect, std::string(status.message()));
  close();
  co_return failure;
}

ApiConnection::Outcome ApiConnection::exchange_heads(const std::string& request, bool& answered) {
  response_ = ResponseReader();
  arm(server_->options().head_timeout);
  boost::system::error_code error;
  co_await stream_->write(asio::buffer(request), error);
  if (error) {
    const Failure failure = io_failure(FailureKind::kLost, "cannot send: " + error.message());
    close();
    co_return failure;
  }
  while (!response_.head_done()) {
    std::optional<Failure> failure = co_await advance();
    answered = answered || !failure || failure->kind == FailureKind::kMalformed;
    if (failure) co_return failure;
  }
  co_return std::nullopt;
}

ApiConnection::Outcome ApiConnection::advance() {
  boost::system::error_code error;
  const std::size_t count =
      co_await stream_->read_some(asio::buffer(read_buffer_.data(), read_buffer_.size()), error);
  std::optional<Failure> failure;
  if (timed_out_ || cancelled_) {
    failure = io_failure(FailureKind::kLost, "");
  } else if (error == asio::error::eof) {
    const base::Status status = response_.feed_end();
    if (!status.ok()) failure = io_failure(FailureKind::kLost, std::string(status.message()));
  } else if (error) {
    failure = io_failure(FailureKind::kLost, "the connection broke: " + error.message());
  } else {
    const base::Status status = response_.feed(std::string_view(read_buffer_.data(), count));
    if (absl::IsResourceExhausted(status)) {
      failure = Failure{FailureKind::kTooLarge, {}, std::string(status.message())};
    } else if (!status.ok()) {
      failure = Failure{FailureKind::kMalformed, {}, std::string(status.message())};
    }
  }
  if (failure || error) close();
  co_return failure;
}

ApiConnection::Outcome ApiConnection::read_status_failure() {
  Failure failure{FailureKind::kStatus, {}, ""};
  const int code = response_.status();
  const std::optional<std::chrono::seconds> retry_after = retry_after_of(response_);
  std::string body;
  arm(server_->options().head_timeout);
  // The status code is what counts; a body that is late, cut or garbage only costs the reason.
  for (;;) {
    body += response_.take_body();
    if (response_.done() || body.size() > kStatusBodyBytes) break;
    if (co_await advance()) break;
  }
  // A refused client certificate is refused for as long as the connection lives.
  if (!response_.done() || code == 401) close();
  failure.status = parse_api_status(code, body);
  if (retry_after) failure.status.retry_after = retry_after;
  failure.detail = "HTTP " + std::to_string(code);
  if (!failure.status.message.empty()) failure.detail += ": " + failure.status.message;
  // Which rule of API Priority and Fairness turned us away.
  const std::string flow_schema = response_.header("X-Kubernetes-PF-FlowSchema-UID");
  if (code == 429 && !flow_schema.empty()) failure.detail += " (flow schema " + flow_schema + ")";
  co_return failure;
}

asio::awaitable<std::optional<Failure>> ApiConnection::read_body(std::string& out) {
  // What came with the head, or with the last read.
  std::string body = response_.take_body();
  if (body.empty() && !response_.done()) {
    if (std::optional<Failure> failure = co_await advance()) co_return failure;
    body = response_.take_body();
  }
  out += body;
  if (response_.done()) disarm();
  co_return std::nullopt;
}

Failure ApiConnection::io_failure(FailureKind kind, const std::string& detail) const {
  if (cancelled_) return {FailureKind::kLost, {}, "stopped"};
  if (timed_out_) return {FailureKind::kTimeout, {}, "no answer in time"};
  return {kind, {}, detail};
}

void ApiConnection::arm(base::Duration time) {
  timed_out_ = false;
  const std::uint64_t generation = ++deadline_generation_;
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this(), generation](boost::system::error_code error) {
    const std::shared_ptr<ApiConnection> self = weak.lock();
    if (error || self == nullptr || self->deadline_generation_ != generation) return;
    self->timed_out_ = true;
    self->resolver_.cancel();
    if (self->stream_ != nullptr) self->stream_->close();
  });
}

void ApiConnection::disarm() {
  ++deadline_generation_;
  deadline_.cancel();
}

void ApiConnection::close() {
  if (stream_ == nullptr) return;
  stream_->close();
  stream_.reset();
}

void ApiConnection::cancel() {
  cancelled_ = true;
  disarm();
  resolver_.cancel();
  if (stream_ != nullptr) stream_->close();
}

}  // namespace holdfast::kube
