#include "proxy/session.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/url_path.h"
#include "http/own_answer.h"
#include "http/serialize.h"
#include "http/traceparent.h"
#include "proxy/admission.h"
#include "proxy/session_wait.h"
#include "websocket/handshake.h"

namespace holdfast::proxy {

bool Session::start(Worker& worker, int descriptor, const Address& peer, std::uint16_t listen_port,
                    Preamble preamble) {
  auto* session = new Session(worker, peer, listen_port);
  session->downstream_ = worker.sockets().add(descriptor, session, true);
  if (session->downstream_ == nullptr) {
    session->retire();
    return false;
  }
  session->task_ = session->run(preamble);
  session->task_.start();
  return true;
}

Session::Session(Worker& worker, const Address& peer, std::uint16_t listen_port)
    : Connection(worker),
      peer_(peer),
      listen_port_(listen_port),
      slot_(worker),
      downstream_(nullptr, SocketCloser{&worker.sockets()}) {}

// Waiting.

Session::Waiting Session::wait(unsigned interests, base::Instant deadline) {
  interests_ = interests;
  timed_out_ = false;
  const bool ready = satisfied();
  if (!ready) {
    wait_until_ = deadline;
    worker_.set_timer(*this, deadline);
  }
  return {*this, ready};
}

Session::Waiting Session::yield() {
  interests_ = kNothing;
  timed_out_ = false;
  wait_until_ = base::Instant::max();
  worker_.sockets().take_turn_later(*this);
  return {*this, false};
}

bool Session::satisfied() const {
  const Socket* upstream = exchange_ == nullptr ? nullptr : exchange_->upstream.get();
  if ((interests_ & kDownstreamReadable) && downstream_->readable()) return true;
  if ((interests_ & kDownstreamWritable) && downstream_->writable()) return true;
  if ((interests_ & kDownstreamEnded) && downstream_->peer_ended()) return true;
  if ((interests_ & kUpstreamReadable) && upstream->readable()) return true;
  if ((interests_ & kUpstreamWritable) && upstream->writable()) return true;
  return interests_ != kNothing && downstream_->broken();
}

void Session::resume() { std::exchange(waiting_, nullptr).resume(); }

void Session::on_ready(Socket&) {
  if (waiting_ && satisfied()) resume();
}

void Session::on_turn() {
  if (waiting_ && interests_ == kNothing) resume();
}

void Session::on_policy_change() {
  // An answer under way waits as long as the idle timeout says now.
  const bool answers = exchange_ != nullptr && exchange_->status != 0;
  if (waiting_ && answers && interests_ != kNothing) resume();
}

void Session::on_deadline() {
  if (!waiting_ || worker_.now() < wait_until_) return;
  timed_out_ = true;
  resume();
}

// The life of the connection.

Task<> Session::run(Preamble preamble) {
  Next next = Next::kAnotherRequest;
  CloseReason reason = CloseReason::kNone;
  if (preamble.proxy_header) reason = co_await read_proxy_header();
  if (preamble.tls && reason == CloseReason::kNone) reason = co_await accept_tls();
  if (reason != CloseReason::kNone) {
    worker_.counters().refused[static_cast<std::size_t>(reason)].add();
    next = reason == CloseReason::kTlsFailed ? Next::kLinger : Next::kClose;
  }
  while (next == Next::kAnotherRequest) {
    next = co_await serve();
    // It has been recorded: whatever ends the connection now does not end it.
    exchange_ = nullptr;
    first_request_ = false;
    // A client that sends many requests at once takes turns with the others.
    if (!in_.empty()) static_cast<void>(co_await yield());
  }
  if (next == Next::kLinger) co_await linger();
  downstream_ = nullptr;
  retire();
}

Task<Session::Next> Session::serve() {
  const CloseReason reason = co_await read_request_head();
  if (reason != CloseReason::kNone) co_return co_await refuse(reason);
  identify();
  if (const CloseReason bad = check_request(); bad != CloseReason::kNone) {
    co_return co_await refuse(bad);
  }
  Exchange& exchange = *exchange_;
  exchange.route = find_route();
  if (exchange.route == nullptr) {
    co_return co_await refuse(worker_.snapshot().in_force() ? CloseReason::kNoRoute
                                                            : CloseReason::kNotConfigured);
  }
  if (must_use_https()) co_return co_await redirect_to_https();
  if (lacks_certificate()) co_return co_await refuse(CloseReason::kCertificateWanted);
  exchange.target = exchange.upgrade ? &exchange.route->websocket : &exchange.route->plain;
  if (!exchange.upgrade) {
    exchange.open_request =
        CountedOne(exchange.target->policy->counters(worker_.index()).open_requests);
  }
  const CloseReason refused = check_admission(exchange.route->settings->admission, exchange.client,
                                              exchange.request, exchange.upgrade);
  if (refused != CloseReason::kNone) co_return co_await refuse(refused);
  if (exchange.request.content_length > exchange.route->settings->body_bytes_most) {
    co_return co_await refuse(CloseReason::kBodyTooLong);
  }
  co_return co_await this->exchange();
}

RoutePtr Session::find_route() const {
  const http::RequestHead& request = exchange_->request;
  // OPTIONS * asks about the server as a whole: whoever has its root answers.
  if (request.path == "*") return worker_.snapshot().find_route(request.host, "/");
  std::string storage;
  return worker_.snapshot().find_route(request.host, base::matched_path(request.path, storage));
}

CloseReason Session::check_request() {
  Exchange& exchange = *exchange_;
  if (base::has_dot_segment(exchange.request.path)) return CloseReason::kBadPath;
  if (const CloseReason reason = check_identity(); reason != CloseReason::kNone) return reason;
  switch (websocket::check_upgrade_request(exchange.request)) {
    case websocket::UpgradeCheck::kNone:
      break;
    case websocket::UpgradeCheck::kValid:
      exchange.upgrade = true;
      break;
    case websocket::UpgradeCheck::kBad:
      return CloseReason::kBadUpgrade;
    case websocket::UpgradeCheck::kBadVersion:
      return CloseReason::kBadWebSocketVersion;
  }
  if (http::own_hops(exchange.request) > kOwnHopsMost) return CloseReason::kLoop;
  if (http::hops_left(exchange.request) == 0) {
    return exchange.request.method == "TRACE" ? CloseReason::kTraceAtLastHop
                                              : CloseReason::kLastHop;
  }
  return CloseReason::kNone;
}

Task<CloseReason> Session::read_request_head() {
  http::RequestHead head;
  std::size_t scanned = 0;
  const base::Duration patience =
      first_request_ ? base::Duration(kHeadTimeout) : base::Duration(kKeepAliveTimeout);
  base::Instant deadline = worker_.now() + patience;
  for (;;) {
    // The empty line that may stand before a request is none (RFC 9112 section 2.2).
    const bool begun = !in_.empty() && in_.view() != "\r" && in_.view() != "\r\n";
    if (begun) {
      if (exchange_ == nullptr) {
        exchange_ = std::make_unique<Exchange>();
        exchange_->id = RequestId::make(worker_.random());
        exchange_->client.address = peer_.ip_address();
        exchange_->started = worker_.now();
        exchange_->upstream = {nullptr, SocketCloser{&worker_.sockets()}};
        deadline = worker_.now() + kHeadTimeout;
      }
      const http::ParseResult result =
          http::parse_request_head(in_.view(), scanned, exchange_->request);
      if (result.state != http::ParseState::kNeedMore) {
        exchange_->request_bytes = std::move(in_);
        in_ = {};
        exchange_->request_progress = worker_.now();
        if (result.state == http::ParseState::kDone) {
          in_.assign(exchange_->request_bytes.view().substr(result.head_bytes));
          co_return CloseReason::kNone;
        }
        exchange_->status = result.status;
        exchange_->detail = http::to_string(result.error);
        co_return CloseReason::kBadRequest;
      }
      // What was parsed of it points into a buffer that moves when it grows.
      exchange_->request = {};
    }
    if (!co_await wait(kDownstreamReadable, deadline)) {
      co_return exchange_ != nullptr || first_request_ ? CloseReason::kHeadTimedOut
                                                       : CloseReason::kKeepAliveTimedOut;
    }
    const Socket::Result read = in_.receive(*downstream_);
    if (read.bytes > 0 || read.error == EAGAIN) continue;
    co_return read.error != 0 ? CloseReason::kDownstreamReset : CloseReason::kDownstreamEnded;
  }
}

bool Session::downstream_gone() const {
  return downstream_->broken() || (exchange_->upgrade && downstream_->peer_ended());
}

// Our own answers.

Task<Session::Next> Session::refuse(CloseReason reason) {
  // Before a byte of a request has come there is nobody to answer.
  if (exchange_ == nullptr) co_return Next::kClose;
  Exchange& exchange = *exchange_;
  const CloseReasonFacts& facts = facts_of(reason);
  exchange.reason = reason;
  const int status = reason == CloseReason::kBadRequest ? exchange.status : facts.status;
  exchange.status = 0;
  if (status == 0 || downstream_->broken()) {
    record();
    co_return Next::kClose;
  }
  const std::string retry_after = std::to_string(kRetryAfter.count());
  std::vector<http::Field> set;
  if (status == 503) set.push_back({"Retry-After", retry_after});
  if (status == 426) set.push_back({"Sec-WebSocket-Version", "13"});
  if (reason == CloseReason::kLastHop) set.push_back({"Allow", http::kAllowedMethods});
  if (reason == CloseReason::kHttpsRedirect) set.push_back({"Location", exchange.location});
  if (reason == CloseReason::kAffinityGone) {
    set.push_back({"Set-Cookie", exchange.affinity_cookie});
  }
  const std::string id = exchange.id.to_string();
  // A request with a body that nobody read, or that could not be parsed, ends the connection.
  const bool close = !exchange.request.keep_alive || exchange.body_begun ||
                     exchange.request.has_body() || facts.side == Side::kDownstream ||
                     exchange.upgrade;
  http::OwnAnswer answer;
  answer.format = http::preferred_format(exchange.request);
  answer.status = status;
  answer.sentence = facts.sentence;
  answer.request_id = id;
  answer.set = set;
  answer.close = close;
  answer.request_is_head = exchange.request.method == "HEAD";
  answer.date = worker_.date();
  std::string bytes;
  http::append_own_answer(bytes, answer);
  if (co_await send_downstream(bytes)) exchange.status = status;
  record();
  if (exchange.status == 0) co_return Next::kClose;
  co_return close ? Next::kLinger : Next::kAnotherRequest;
}

Task<bool> Session::send_downstream(std::string_view bytes) {
  const base::Instant deadline = worker_.now() + kWriteStallTimeout;
  while (!bytes.empty()) {
    const Socket::Result sent = downstream_->send(bytes.data(), bytes.size());
    bytes.remove_prefix(sent.bytes);
    if (sent.error != 0 && sent.error != EAGAIN) co_return false;
    if (bytes.empty()) break;
    if (!co_await wait(kDownstreamWritable, deadline) || downstream_->broken()) co_return false;
  }
  co_return true;
}

Task<> Session::linger() {
  downstream_->end_sending();
  const base::Instant begun = worker_.now();
  std::size_t dropped = 0;
  std::size_t in_a_row = 0;
  while (dropped < kLingerBytesMost) {
    const base::Duration earned = std::chrono::seconds(dropped / kLingerRateLeast);
    const base::Instant deadline =
        begun + std::min<base::Duration>(kLingerTimeout + earned, kLingerMost);
    if (worker_.now() >= deadline || !co_await wait(kDownstreamReadable, deadline)) co_return;
    const Socket::Result read = downstream_->receive(worker_.scratch(), kScratchBytes);
    if (read.bytes == 0 && read.error != EAGAIN) co_return;
    dropped += read.bytes;
    in_a_row += read.bytes;
    if (in_a_row >= kTurnBytes) {
      in_a_row = 0;
      static_cast<void>(co_await yield());
    }
  }
}

void Session::record() {
  const Exchange& exchange = *exchange_;
  RoutePolicy* policy = exchange.target == nullptr ? nullptr : exchange.target->policy.get();
  const bool opened = exchange.upgrade && exchange.status == 101;
  if (policy == nullptr) {
    worker_.counters().unrouted[static_cast<std::size_t>(exchange.reason)].add();
  } else if (exchange.upgrade) {
    policy->counters(worker_.index()).upgrades[static_cast<std::size_t>(exchange.reason)].add();
  } else {
    RouteCounters& counters = policy->counters(worker_.index());
    counters.requests[static_cast<std::size_t>(exchange.status / 100)].add();
    if (exchange.reason != CloseReason::kCompleted) {
      counters.request_failures[static_cast<std::size_t>(exchange.reason)].add();
    }
  }
  base::LogSink* sink = worker_.shared().access_log;
  if (sink == nullptr) return;
  RequestLine line;
  line.id = exchange.id.to_string();
  line.client = base::to_string(exchange.client.address);
  line.method = exchange.request.method;
  line.host = exchange.request.authority;
  line.target = exchange.request.target;
  line.minor_version = exchange.request.minor_version;
  if (const http::Field* agent = exchange.request.find("User-Agent")) {
    line.user_agent = agent->value;
  }
  const std::string own_trace = exchange.id.hex();
  if (exchange.trace == Exchange::Trace::kGiven) line.trace_id = http::trace_id(exchange.request);
  if (exchange.trace == Exchange::Trace::kStarted && line.id != own_trace)
    line.trace_id = own_trace;
  line.policy = policy;
  if (exchange.lease) {
    line.endpoint = exchange.lease.endpoint()->text;
  } else if (!exchange.tried.empty()) {
    line.endpoint = exchange.tried.back()->text;
  }
  line.status = exchange.status;
  line.reason = exchange.reason;
  line.detail = exchange.detail;
  line.duration = worker_.now() - exchange.started;
  line.bytes = exchange.bytes;
  line.websocket_opened = opened;
  sink->write(to_line(line, worker_.shared().clock.wall_now()));
}

bool Session::describe(ConnectionInfo& info) const {
  if (exchange_ == nullptr || (!exchange_->open_request && !exchange_->open_stream)) return false;
  const Exchange& exchange = *exchange_;
  info.kind = exchange.open_stream ? "stream" : "request";
  info.request_id = exchange.id.to_string();
  info.set_route(*exchange.target->policy, exchange.lease.endpoint().get());
  info.client = base::to_string(exchange.client.address);
  info.age = worker_.now() - exchange.started;
  info.bytes = exchange.bytes;
  info.messages = {};
  return true;
}

void Session::abort(CloseReason reason) {
  if (exchange_ != nullptr) {
    exchange_->reason = reason;
    record();
    exchange_ = nullptr;
  }
  waiting_ = nullptr;
  downstream_ = nullptr;
  retire();
}

}  // namespace holdfast::proxy
