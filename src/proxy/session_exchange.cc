// One HTTP exchange once a route is known: forward the request, stream both bodies, or become a
// relay.

#include <algorithm>
#include <utility>

#include "http/serialize.h"
#include "proxy/relay.h"
#include "proxy/session.h"
#include "proxy/session_wait.h"
#include "proxy/socket_options.h"
#include "websocket/handshake.h"

namespace holdfast::proxy {

using http::Framing;

namespace {

/// What a client may take for so many bytes of a body.
base::Duration time_for(std::uint64_t bytes) {
  constexpr base::Duration kPerByte = std::chrono::nanoseconds(1s) / kBodyRateLeast;
  constexpr std::uint64_t kBytesMost = kBodyIdleTimeout / kPerByte;
  return kPerByte * std::min(bytes, kBytesMost);
}

}  // namespace

Task<Session::Next> Session::exchange() {
  Exchange& exchange = *exchange_;
  const std::string preamble = upstream_preamble();
  const std::string bytes = preamble + upstream_head();
  std::optional<BodyPump> request_body;
  for (;;) {
    CloseReason reason = co_await reach_upstream();
    if (reason != CloseReason::kNone) co_return co_await refuse(reason);
    // Where the pod speaks TLS, what comes before that has been sent.
    const std::size_t sent = exchange.upstream->tls() == nullptr ? 0 : preamble.size();
    reason = co_await send_upstream(std::string_view(bytes).substr(sent));
    exchange.request_progress = worker_.now();
    exchange.body_due = worker_.now() + kBodyIdleTimeout;
    if (reason == CloseReason::kNone) {
      request_body.emplace(worker_, *downstream_, in_, exchange.request, *exchange.upstream,
                           exchange.request.framing, std::string());
      request_body->set_limit(exchange.route->settings->body_bytes_most);
      reason = co_await await_response(request_body);
    }
    if (reason == CloseReason::kNone) break;
    const bool retry = reason == CloseReason::kUpstreamNoAnswer && may_try_again();
    drop_upstream(false);
    if (!retry) co_return co_await refuse(reason);
    // A kept connection that the pod had closed before it was used says nothing of the pod.
    if (exchange.is_fresh) exchange.unanswered.push_back(exchange.lease.endpoint());
    exchange.fresh_only = true;
  }
  if (exchange.response.status == 101) co_return become_relay();
  co_return co_await forward_response(request_body);
}

Session::Pumped Session::pump_request(BodyPump& body) {
  Exchange& exchange = *exchange_;
  if (body.done() || exchange.upstream_deaf) return {CloseReason::kCompleted};
  const std::uint64_t before = body.bytes();
  const std::uint64_t sent_before = body.sent();
  const BodyPump::State state = body.pump();
  if (body.sent() != sent_before) exchange.request_progress = worker_.now();
  if (body.bytes() != before || state == BodyPump::State::kDone) {
    exchange.request_progress = worker_.now();
    exchange.body_begun = true;
    exchange.body_due = std::min(exchange.body_due + time_for(body.bytes() - before),
                                 worker_.now() + kBodyIdleTimeout);
  }
  exchange.bytes[index_of(Direction::kUpstreamward)] = body.bytes();
  exchange.upstream_deaf = state == BodyPump::State::kSinkFailed;
  return meaning_of(state, {.truncated = downstream_->broken() ? CloseReason::kDownstreamReset
                                                               : CloseReason::kDownstreamEnded,
                            .bad_coding = CloseReason::kBadBody,
                            .sink_failed = CloseReason::kCompleted});
}

Session::Pumped Session::meaning_of(BodyPump::State state, const BodyFailures& failures) {
  switch (state) {
    case BodyPump::State::kTruncated:
      return {failures.truncated};
    case BodyPump::State::kBadCoding:
      return {failures.bad_coding};
    case BodyPump::State::kTooLong:
      return {CloseReason::kBodyTooLong};
    case BodyPump::State::kSinkFailed:
      return {failures.sink_failed};
    case BodyPump::State::kDone:
      return {CloseReason::kCompleted};
    case BodyPump::State::kTurnOver:
      return {CloseReason::kNone, true};
    case BodyPump::State::kBlocked:
      break;
  }
  return {};
}

unsigned Session::request_interests(const BodyPump& body) const {
  if (body.done() || exchange_->upstream_deaf) return kNothing;
  return body.owes() ? kUpstreamWritable : kDownstreamReadable;
}

Task<CloseReason> Session::await_response(std::optional<BodyPump>& request_body) {
  Exchange& exchange = *exchange_;
  BodyPump& body = *request_body;
  for (;;) {
    const Pumped pumped = pump_request(body);
    if (pumped.reason != CloseReason::kNone && pumped.reason != CloseReason::kCompleted) {
      co_return pumped.reason;
    }
    bool done = false;
    const CloseReason reason = read_response_head(done);
    if (reason != CloseReason::kNone) co_return reason;
    if (done) {
      if (exchange.response.status >= 200) co_return CloseReason::kNone;
      if (exchange.response.status == 101) co_return check_switch();
      const CloseReason forwarded = co_await forward_interim_response();
      if (forwarded != CloseReason::kNone) co_return forwarded;
      continue;
    }
    if (pumped.turn_over) {
      static_cast<void>(co_await yield());
      continue;
    }
    unsigned interests = kUpstreamReadable | request_interests(body);
    if (exchange.upgrade) interests |= kDownstreamEnded;
    const Patience patience = patience_for_response(interests);
    const base::Instant begun = worker_.now();
    if (!co_await wait(interests, patience.until)) {
      if (patience.reason != CloseReason::kUpstreamStalled || !body.drains()) {
        co_return patience.reason;
      }
      exchange.request_progress = worker_.now();
    }
    // What the upstream does not take is not the client's delay.
    if ((interests & kUpstreamWritable) != 0) exchange.body_due += worker_.now() - begun;
    if (downstream_gone()) {
      co_return downstream_->broken() ? CloseReason::kDownstreamReset
                                      : CloseReason::kDownstreamEnded;
    }
  }
}

Session::Patience Session::patience_for_response(unsigned interests) const {
  const Exchange& exchange = *exchange_;
  if ((interests & kUpstreamWritable) != 0) {
    return {exchange.request_progress + kWriteStallTimeout, CloseReason::kUpstreamStalled};
  }
  // A client that expects a 100 sends nothing before the upstream has spoken.
  const bool held_back = exchange.request.expects_continue && !exchange.body_begun;
  if ((interests & kDownstreamReadable) != 0 && !held_back) {
    return {exchange.body_due, CloseReason::kBodyTimedOut};
  }
  const base::Duration limit = exchange.upgrade ? exchange.route->settings->upgrade_timeout
                                                : exchange.route->settings->request_timeout;
  return {exchange.request_progress + limit, CloseReason::kUpstreamTimedOut};
}

CloseReason Session::check_switch() {
  Exchange& exchange = *exchange_;
  // RFC 9110 section 15.2: HTTP/1.0 has no 1xx.
  if (!exchange.upgrade || exchange.response.minor_version == 0) return CloseReason::kBadResponse;
  const websocket::SwitchCheck check = websocket::check_switch(exchange.request, exchange.response);
  if (check == websocket::SwitchCheck::kValid) return CloseReason::kNone;
  exchange.detail = websocket::to_string(check);
  return CloseReason::kBadSwitch;
}

Task<CloseReason> Session::forward_interim_response() {
  Exchange& exchange = *exchange_;
  if (++exchange.interim_responses > kInterimResponsesMost) co_return CloseReason::kBadResponse;
  // RFC 9110 section 15.2: never to HTTP/1.0.
  if (exchange.request.minor_version == 0) co_return CloseReason::kNone;
  const std::string head = response_head({});
  if (!co_await send_downstream(head)) co_return CloseReason::kDownstreamReset;
  if (exchange.response.status == 100 && !exchange.body_begun) {
    // The body that the client held back for it is due from now.
    exchange.request_progress = worker_.now();
    exchange.body_due = worker_.now() + kBodyIdleTimeout;
    exchange.body_begun = true;
  }
  co_return CloseReason::kNone;
}

Session::Pumped Session::pump_response(BodyPump& body) {
  Exchange& exchange = *exchange_;
  const std::uint64_t before = body.bytes();
  const std::uint64_t sent_before = body.sent();
  const BodyPump::State state = body.pump();
  if (body.bytes() != before || body.sent() != sent_before) {
    exchange.response_progress = worker_.now();
  }
  if (body.started() && exchange.status == 0) {
    exchange.status = exchange.response.status;
    exchange.open_stream =
        CountedOne(exchange.target->policy->counters(worker_.index()).open_streams);
  }
  exchange.bytes[index_of(Direction::kDownstreamward)] = body.bytes();
  return meaning_of(state, {.truncated = CloseReason::kUpstreamTruncated,
                            .bad_coding = CloseReason::kBadResponse,
                            .sink_failed = CloseReason::kDownstreamReset});
}

Task<Session::Next> Session::forward_response(std::optional<BodyPump>& request_body) {
  Exchange& exchange = *exchange_;
  const bool old_client = exchange.request.minor_version == 0;
  const Framing source = exchange.response.framing;
  const bool re_framed = source == Framing::kChunked || source == Framing::kUntilClose;
  const bool until_close = re_framed && old_client;

  http::ResponseForwarding forwarding;
  forwarding.framing = until_close ? Framing::kUntilClose : re_framed ? Framing::kChunked : source;
  // Bytes that a client sent behind a handshake are frames nobody may see: the connection ends.
  const bool stray_frames = exchange.upgrade && (!in_.empty() || downstream_->readable());
  forwarding.close =
      !exchange.request.keep_alive || until_close || !request_body->done() || stray_frames;
  std::string head = response_head(forwarding);
  exchange.response_progress = worker_.now();

  BodyPump body(worker_, *exchange.upstream, exchange.upstream_in, exchange.response, *downstream_,
                forwarding.framing, std::move(head));
  exchange.reason = co_await stream_response(body, *request_body);
  if (!body.started() && exchange.reason == CloseReason::kBadResponse) {
    drop_upstream(false);
    co_return co_await refuse(CloseReason::kBadResponse);
  }
  const bool completed = exchange.reason == CloseReason::kCompleted;
  drop_upstream(completed && request_body->done() && exchange.response.keep_alive &&
                source != Framing::kUntilClose && exchange.upstream_in.empty() &&
                !exchange.upgrade);
  if (completed && exchange.upgrade) exchange.reason = CloseReason::kUpgradeDeclined;
  record();
  exchange.lease = {};
  if (!completed) {
    // The end of the connection would be the end of the answer (RFC 9112 section 6.3).
    if (forwarding.framing == Framing::kUntilClose) downstream_->reset_on_close();
    co_return Next::kClose;
  }
  co_return forwarding.close ? Next::kLinger : Next::kAnotherRequest;
}

Task<CloseReason> Session::stream_response(BodyPump& body, BodyPump& request_body) {
  Exchange& exchange = *exchange_;
  const bool had_ended = downstream_->peer_ended();
  std::optional<base::Instant> ended_at;
  for (;;) {
    if (!ended_at && downstream_->peer_ended()) ended_at = worker_.now();
    const Pumped request = pump_request(request_body);
    const Pumped response = pump_response(body);
    if (response.reason != CloseReason::kNone) co_return response.reason;
    if (request.reason != CloseReason::kNone && request.reason != CloseReason::kCompleted) {
      co_return request.reason;
    }
    if (request.turn_over || response.turn_over) {
      static_cast<void>(co_await yield());
      continue;
    }
    unsigned interests = request_interests(request_body);
    interests |= body.owes() ? kDownstreamWritable : kUpstreamReadable;
    base::Instant until = body.owes()
                              ? exchange.response_progress + kWriteStallTimeout
                              : std::max(exchange.request_progress, exchange.response_progress) +
                                    exchange.target->policy->idle_timeout();
    // One that had ended its side before the answer began is waiting for it; one that does so in
    // mid-answer may be gone, or may be reading the rest.
    const bool may_be_gone = !had_ended && !body.owes() && request_body.done();
    if (may_be_gone && !ended_at) interests |= kDownstreamEnded;
    const bool leaves = may_be_gone && ended_at;
    if (leaves) {
      until = std::min(until, std::max(*ended_at, exchange.response_progress) + kEndedPatience);
    }
    if (!co_await wait(interests, until)) {
      if (leaves) co_return CloseReason::kDownstreamEnded;
      if (!body.owes()) co_return CloseReason::kIdleTimedOut;
      if (!body.drains()) co_return CloseReason::kDownstreamStalled;
      exchange.response_progress = worker_.now();
    }
    if (downstream_->broken()) co_return CloseReason::kDownstreamReset;
  }
}

std::string Session::response_head(http::ResponseForwarding forwarding) const {
  const Exchange& exchange = *exchange_;
  std::vector<http::Field> set;
  for (const auto& change : exchange.route->settings->forwarding.response_fields) {
    set.push_back({change.name(), change.value()});
  }
  const std::string& transport_security =
      exchange.route->settings->forwarding.strict_transport_security;
  if (exchange.client.https && !transport_security.empty()) {
    set.push_back({"Strict-Transport-Security", transport_security});
  }
  std::vector<http::Field> added;
  const bool interim = exchange.response.status < 200 && !forwarding.websocket_upgrade;
  if (!interim && !exchange.affinity_cookie.empty()) {
    added.push_back({"Set-Cookie", exchange.affinity_cookie});
  }
  forwarding.date = worker_.date();
  forwarding.set = set;
  forwarding.add = added;
  std::string head;
  http::append_response_head(head, exchange.response, forwarding);
  return head;
}

Session::Next Session::become_relay() {
  Exchange& exchange = *exchange_;
  http::ResponseForwarding forwarding;
  forwarding.websocket_upgrade = true;
  const std::string head = response_head(forwarding);
  exchange.status = 101;
  exchange.reason = CloseReason::kCompleted;
  worker_.counters().handshakes.observe(worker_.now() - exchange.started);
  record();

  if (tls::Stream* stream = downstream_->tls()) stream->forget_identity();
  RelayStart start{.downstream = std::move(downstream_),
                   .upstream = std::move(exchange.upstream),
                   .slot = std::move(slot_),
                   .lease = std::move(exchange.lease),
                   .policy = exchange.target->policy,
                   .client = exchange.client.address,
                   .id = std::move(exchange.id),
                   .switching_head = head,
                   .from_upstream = exchange.upstream_in.view(),
                   .from_downstream = in_.view()};
  Relay::start(worker_, std::move(start));
  return Next::kHandedOver;
}

}  // namespace holdfast::proxy
