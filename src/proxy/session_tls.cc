// TLS with the client: the handshake, which hosts a connection may carry requests for, and what the
// pod is told of a client's certificate. And TLS with the pod.

#include <algorithm>
#include <cerrno>
#include <list>
#include <utility>

#include "base/ascii.h"
#include "http/own_answer.h"
#include "proxy/session.h"
#include "proxy/session_wait.h"

namespace holdfast::proxy {

namespace {

/// RFC 8555 section 8.3: an authority asks for it in the clear, to see who owns the host.
constexpr std::string_view kAcmePrefix = "/.well-known/acme-challenge/";

/// What only whoever ends TLS may say of a client's certificate: ingress-nginx's names, and those
/// of RFC 9440.
bool speaks_of_certificate(std::string_view name) {
  std::string lower = base::lower_case(name);
  // Servers that make variables of fields see no difference.
  std::replace(lower.begin(), lower.end(), '_', '-');
  return lower.starts_with("ssl-client-") || lower.starts_with("client-cert");
}

/// A handshake in its worker's list, for as long as it exists.
class UnderWay {
 public:
  UnderWay(Worker& worker, Connection& connection)
      : handshakes_(worker.handshakes()),
        place_(handshakes_.insert(handshakes_.end(), &connection)),
        counted_(worker.counters().tls.under_way) {
    if (handshakes_.size() <= kTlsHandshakesMost) return;
    const auto oldest = std::find_if(handshakes_.begin(), place_,
                                     [](const Connection* one) { return !one->retired(); });
    if (oldest == place_) return;
    constexpr auto kReason = CloseReason::kTlsCrowdedOut;
    worker.counters().refused[static_cast<std::size_t>(kReason)].add();
    (*oldest)->abort(kReason);
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;
  ~UnderWay() { handshakes_.erase(place_); }

 private:
  std::list<Connection*>& handshakes_;
  std::list<Connection*>::iterator place_;
  CountedOne counted_;
};

}  // namespace

Task<CloseReason> Session::accept_tls() {
  const UnderWay under_way(worker_, *this);
  const base::Instant deadline = worker_.now() + kTlsHandshakeTimeout;
  const bool made = downstream_->encrypt([&](tls::Transport& transport) {
    return worker_.shared().tls->accept(transport, worker_.snapshot());
  });
  if (!made) co_return CloseReason::kTlsFailed;
  tls::Stream& stream = *downstream_->tls();
  stream.set_ahead(in_.view());
  in_.clear();
  TlsCounters& counters = worker_.counters().tls;
  for (;;) {
    while (!worker_.take_handshake_step()) static_cast<void>(co_await yield());
    const int error = downstream_->handshake();
    if (error == 0) break;
    if (error != EAGAIN) {
      counters.failed[static_cast<std::size_t>(stream.failure())].add();
      if (stream.failure() == tls::HandshakeFailure::kEnded)
        co_return CloseReason::kDownstreamEnded;
      if (stream.detail() == "http request") answer_plain_http();
      co_return CloseReason::kTlsFailed;
    }
    if (!co_await wait(kDownstreamReadable | kDownstreamWritable, deadline)) {
      co_return CloseReason::kTlsTimedOut;
    }
    if (downstream_->broken()) co_return CloseReason::kDownstreamReset;
  }
  counters.count_done(stream);
  if (stream.identity()->client().ask != tls::ClientPolicy::Ask::kNothing) {
    if (auto certificate = stream.peer_certificate()) {
      client_certificate_ = std::make_unique<const tls::PeerCertificate>(*std::move(certificate));
    }
  }
  co_return CloseReason::kNone;
}

Task<CloseReason> Session::secure_upstream(const Try& attempt, base::Instant deadline) {
  Exchange& exchange = *exchange_;
  Socket& upstream = *exchange.upstream;
  const auto failed = [&](std::string detail) {
    exchange.tls_detail = std::move(detail);
    exchange.detail = exchange.tls_detail;
    note_failed_connect(attempt, ConnectFailure::kTls);
    return CloseReason::kUpstreamTlsFailed;
  };
  if (attempt.tls->context == nullptr) co_return failed("a Secret that it needs is not known");
  const std::string preamble = upstream_preamble();
  // The first bytes of a connection find room.
  if (!preamble.empty() &&
      upstream.send(preamble.data(), preamble.size()).bytes < preamble.size()) {
    co_return failed("the connection takes no bytes");
  }
  const bool made = upstream.encrypt([&](tls::Transport& transport) {
    return attempt.tls->context->connect(transport, exchange.lease.endpoint()->text);
  });
  if (!made) co_return CloseReason::kDescriptorsExhausted;
  const unsigned interests =
      kUpstreamReadable | kUpstreamWritable | (exchange.upgrade ? kDownstreamEnded : kNothing);
  for (;;) {
    const int error = upstream.handshake();
    if (error == 0) co_return CloseReason::kNone;
    if (error != EAGAIN) {
      const tls::Stream& stream = *upstream.tls();
      co_return failed(
          std::string(stream.detail().empty() ? to_string(stream.failure()) : stream.detail()));
    }
    if (!co_await wait(interests, deadline)) co_return count_connect_failure(attempt, ETIMEDOUT);
    if (downstream_gone()) co_return count_abandoned_connect(attempt);
  }
}

void Session::answer_plain_http() {
  downstream_->stop_encrypting();
  const std::string id = RequestId::make(worker_.random()).to_string();
  http::OwnAnswer answer;
  answer.status = 400;
  answer.sentence = "Plain HTTP was sent to an address where TLS is spoken.";
  answer.request_id = id;
  answer.close = true;
  answer.date = worker_.date();
  std::string bytes;
  http::append_own_answer(bytes, answer);
  // Nothing has been sent yet, so that there is room; whoever does not get it has lost nothing.
  static_cast<void>(downstream_->send(bytes.data(), bytes.size()));
}

CloseReason Session::check_identity() const {
  const http::RequestHead& request = exchange_->request;
  using Ask = tls::ClientPolicy::Ask;
  const tls::Stream* stream = downstream_->tls();
  if (stream == nullptr) return CloseReason::kNone;
  const IdentityPtr wanted = worker_.snapshot().find_identity(base::lower_case(request.host));
  if (wanted == nullptr || wanted->same_as(*stream->identity())) return CloseReason::kNone;
  // A client that names no host in the handshake gets what needs no certificate of it.
  const bool unnamed = !stream->has_server_name() && wanted->client().ask == Ask::kNothing;
  return unnamed ? CloseReason::kNone : CloseReason::kMisdirected;
}

bool Session::lacks_certificate() const {
  const http::RequestHead& request = exchange_->request;
  // Over TLS, the policy of the handshake counts. An authority that makes certificates has none.
  if (downstream_->tls() != nullptr || request.path.starts_with(kAcmePrefix)) return false;
  const IdentityPtr wanted = worker_.snapshot().find_identity(base::lower_case(request.host));
  return wanted != nullptr && wanted->client().ask == tls::ClientPolicy::Ask::kRequired;
}

bool Session::must_use_https() const {
  const Exchange& exchange = *exchange_;
  return exchange.route->settings->forwarding.https_redirect && !exchange.client.https &&
         !exchange.client.host.empty() && !exchange.request.path.starts_with(kAcmePrefix);
}

Task<Session::Next> Session::redirect_to_https() {
  Exchange& exchange = *exchange_;
  // The port that clients use for TLS is not known here: the usual one.
  std::string_view host = exchange.client.host;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) {
    host = host.substr(0, colon);
  }
  exchange.location = "https://" + std::string(host) + std::string(exchange.request.target);
  co_return co_await refuse(CloseReason::kHttpsRedirect);
}

void Session::add_certificate_fields(std::vector<http::Field>& set,
                                     std::vector<std::string>& texts) const {
  const Exchange& exchange = *exchange_;
  if (!exchange.client.by_proxy) {
    for (const http::Field& field : exchange.request.fields) {
      if (speaks_of_certificate(field.name)) set.push_back({field.name, ""});
    }
  }
  const tls::Stream* stream = downstream_->tls();
  if (stream == nullptr || stream->identity()->client().ask == tls::ClientPolicy::Ask::kNothing) {
    return;
  }
  if (client_certificate_ == nullptr) {
    set.push_back({"ssl-client-verify", "NONE"});
    return;
  }
  const tls::PeerCertificate& certificate = *client_certificate_;
  set.push_back({"ssl-client-verify", "SUCCESS"});
  set.push_back({"ssl-client-subject-dn", certificate.facts.subject});
  set.push_back({"ssl-client-issuer-dn", certificate.facts.issuer});
  set.push_back({"ssl-client-serial", certificate.serial});
  set.push_back({"ssl-client-fingerprint", certificate.facts.fingerprint});
  if (stream->identity()->client().forwarded) {
    // A byte sequence of a structured field (RFC 8941 section 3.3.5).
    texts.push_back(":" + certificate.der_base64 + ":");
    set.push_back({"Client-Cert", texts.back()});
  }
}

}  // namespace holdfast::proxy
