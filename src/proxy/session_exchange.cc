// One HTTP exchange once a route is known: forward the request, stream both bodies, or become a
// relay.

#include <algorithm>
#include <utility>

#include "http/serialize.h"
#include "proxy/relay.h"
#include "proxy/session.h"
#include "proxy/session_wait.h"
#include "websocket/handshake.h"

namespace holdfast::proxy {

using http::Framing;

Task<Session::Next> Session::exchange() {
  Exchange& exchange = *exchange_;
  const std::string head = upstream_head();
  std::optional<BodyPump> request_body;
  for (;;) {
    CloseReason reason = co_await reach_upstream();
    if (reason != CloseReason::kNone) co_return co_await refuse(reason);
    reason = co_await send_upstream(head);
    exchange.request_progress = worker_.now();
    if (reason == CloseReason::kNone) {
      request_body.emplace(worker_, *downstream_, in_, exchange.request, *exchange.upstream,
                           exchange.request.framing, std::string());
      reason = co_await await_response(request_body);
    }
    if (reason == CloseReason::kNone) break;
    const bool retry = reason == CloseReason::kUpstreamNoAnswer && may_try_again();
    drop_upstream(false);
    if (!retry) co_return co_await refuse(reason);
    // The same endpoint may be asked again, on a fresh connection: it may be the only one.
    exchange.fresh_only = true;
    exchange.tried.clear();
  }
  if (exchange.response.status == 101) co_return become_relay();
  co_return co_await forward_response(request_body);
}

CloseReason Session::pump_request(BodyPump& body) {
  Exchange& exchange = *exchange_;
  const std::uint64_t before = body.bytes();
  const BodyPump::State state = body.pump();
  if (body.bytes() != before || state == BodyPump::State::kDone) {
    exchange.request_progress = worker_.now();
    exchange.body_begun = true;
  }
  exchange.bytes[index_of(Direction::kUpstreamward)] = body.bytes();
  switch (state) {
    case BodyPump::State::kTruncated:
      return downstream_->broken() ? CloseReason::kDownstreamReset : CloseReason::kDownstreamEnded;
    case BodyPump::State::kBadCoding:
      return CloseReason::kBadBody;
    case BodyPump::State::kSinkFailed:
      return CloseReason::kUpstreamReset;
    default:
      return CloseReason::kNone;
  }
}

Task<CloseReason> Session::await_response(std::optional<BodyPump>& request_body) {
  Exchange& exchange = *exchange_;
  const base::Duration patience =
      exchange.upgrade ? exchange.route->upgrade_timeout : exchange.route->request_timeout;
  BodyPump& body = *request_body;
  // The upstream stopped reading the request; its answer may be on the way all the same.
  bool upstream_deaf = false;
  for (;;) {
    if (!body.done() && !upstream_deaf) {
      const CloseReason reason = pump_request(body);
      upstream_deaf = reason == CloseReason::kUpstreamReset;
      if (reason != CloseReason::kNone && !upstream_deaf) co_return reason;
    }
    bool done = false;
    const CloseReason reason = read_response_head(done);
    if (reason != CloseReason::kNone) co_return reason;
    if (done) {
      const int status = exchange.response.status;
      if (status >= 200) co_return CloseReason::kNone;
      if (status == 101) {
        const bool valid =
            exchange.upgrade && websocket::check_switch(exchange.request, exchange.response) ==
                                    websocket::SwitchCheck::kValid;
        if (valid) co_return CloseReason::kNone;
        if (!exchange.upgrade) co_return CloseReason::kBadResponse;
        exchange.detail =
            websocket::to_string(websocket::check_switch(exchange.request, exchange.response));
        co_return CloseReason::kBadSwitch;
      }
      const CloseReason forwarded = co_await forward_interim_response();
      if (forwarded != CloseReason::kNone) co_return forwarded;
      continue;
    }
    const bool waits_for_client = !body.done() && !upstream_deaf && !body.owes();
    const bool held_back = exchange.request.expects_continue && !exchange.body_begun;
    unsigned interests = kUpstreamReadable;
    if (waits_for_client) interests |= kDownstreamReadable;
    if (body.owes() && !upstream_deaf) interests |= kUpstreamWritable;
    if (exchange.upgrade) interests |= kDownstreamEnded;
    const base::Duration limit = body.owes() ? base::Duration(kWriteStallTimeout)
                                 : waits_for_client && !held_back ? base::Duration(kBodyIdleTimeout)
                                                                  : patience;
    if (!co_await wait(interests, exchange.request_progress + limit)) {
      if (body.owes()) co_return CloseReason::kUpstreamStalled;
      co_return waits_for_client && !held_back ? CloseReason::kBodyTimedOut
                                               : CloseReason::kUpstreamTimedOut;
    }
    if (downstream_gone()) {
      co_return downstream_->broken() ? CloseReason::kDownstreamReset
                                      : CloseReason::kDownstreamEnded;
    }
  }
}

Task<CloseReason> Session::forward_interim_response() {
  Exchange& exchange = *exchange_;
  if (++exchange.interim_responses > kInterimResponsesMost) co_return CloseReason::kBadResponse;
  // RFC 9110 section 15.2: never to HTTP/1.0.
  if (exchange.request.minor_version == 0) co_return CloseReason::kNone;
  http::ResponseForwarding forwarding;
  forwarding.request_minor_version = exchange.request.minor_version;
  forwarding.date = worker_.date();
  std::string head;
  http::append_response_head(head, exchange.response, forwarding);
  if (!co_await send_downstream(head)) co_return CloseReason::kDownstreamReset;
  // The body that the client held back for it is due from now.
  exchange.request_progress = worker_.now();
  if (exchange.response.status == 100) exchange.body_begun = true;
  co_return CloseReason::kNone;
}

CloseReason Session::pump_response(BodyPump& body, BodyPump* request_body, bool& turn_over) {
  Exchange& exchange = *exchange_;
  if (request_body != nullptr && !request_body->done()) {
    // The response is on its way: what becomes of the rest of the request decides nothing any more.
    const CloseReason ignored = pump_request(*request_body);
    static_cast<void>(ignored);
  }
  const std::uint64_t before = body.bytes();
  const bool owed = body.owes();
  const BodyPump::State state = body.pump();
  if (body.bytes() != before || owed != body.owes()) exchange.response_progress = worker_.now();
  exchange.bytes[index_of(Direction::kDownstreamward)] = body.bytes();
  turn_over = state == BodyPump::State::kTurnOver;
  switch (state) {
    case BodyPump::State::kTruncated:
      return CloseReason::kUpstreamTruncated;
    case BodyPump::State::kBadCoding:
      return CloseReason::kBadResponse;
    case BodyPump::State::kSinkFailed:
      return CloseReason::kDownstreamReset;
    case BodyPump::State::kDone:
      return CloseReason::kCompleted;
    default:
      return CloseReason::kNone;
  }
}

Task<Session::Next> Session::forward_response(std::optional<BodyPump>& request_body) {
  Exchange& exchange = *exchange_;
  const bool old_client = exchange.request.minor_version == 0;
  const Framing source = exchange.response.framing;
  const bool re_framed = source == Framing::kChunked || source == Framing::kUntilClose;
  const bool until_close = re_framed && old_client;

  http::ResponseForwarding forwarding;
  forwarding.framing = until_close ? Framing::kUntilClose : re_framed ? Framing::kChunked : source;
  forwarding.request_minor_version = exchange.request.minor_version;
  forwarding.date = worker_.date();
  // Bytes that a client sent behind a handshake are frames nobody may see: the connection ends.
  const bool stray_frames = exchange.upgrade && (!in_.empty() || downstream_->readable());
  forwarding.close =
      !exchange.request.keep_alive || until_close || !request_body->done() || stray_frames;
  std::string head;
  http::append_response_head(head, exchange.response, forwarding);
  exchange.status = exchange.response.status;
  exchange.response_progress = worker_.now();

  BodyPump body(worker_, *exchange.upstream, exchange.upstream_in, exchange.response, *downstream_,
                forwarding.framing, std::move(head));
  const bool had_ended = downstream_->peer_ended();
  CloseReason reason = CloseReason::kNone;
  while (reason == CloseReason::kNone) {
    bool turn_over = false;
    reason = pump_response(body, &*request_body, turn_over);
    if (reason != CloseReason::kNone) break;
    if (turn_over) {
      static_cast<void>(co_await yield());
      continue;
    }
    unsigned interests = body.owes() ? kDownstreamWritable : kUpstreamReadable;
    // A client that goes away in mid-answer wants no more of it; one that had ended its side before
    // the answer began is waiting for it.
    if (!had_ended && !body.owes() && request_body->done()) interests |= kDownstreamEnded;
    const base::Duration limit =
        body.owes() ? base::Duration(kWriteStallTimeout) : exchange.route->policy->idle_timeout();
    if (!co_await wait(interests, exchange.response_progress + limit)) {
      reason = body.owes() ? CloseReason::kDownstreamStalled : CloseReason::kIdleTimedOut;
    } else if (downstream_->broken()) {
      reason = CloseReason::kDownstreamReset;
    } else if ((interests & kDownstreamEnded) != 0 && downstream_->peer_ended() &&
               !exchange.upstream->readable()) {
      reason = CloseReason::kDownstreamEnded;
    }
  }
  exchange.reason = reason;
  const bool completed = reason == CloseReason::kCompleted;
  drop_upstream(completed && request_body->done() && exchange.response.keep_alive &&
                source != Framing::kUntilClose && exchange.upstream_in.empty() &&
                !exchange.upgrade);
  record();
  exchange.lease = {};
  if (!completed) co_return Next::kClose;
  co_return forwarding.close ? Next::kLinger : Next::kAnotherRequest;
}

Session::Next Session::become_relay() {
  Exchange& exchange = *exchange_;
  http::ResponseForwarding forwarding;
  forwarding.websocket_upgrade = true;
  forwarding.request_minor_version = exchange.request.minor_version;
  forwarding.date = worker_.date();
  std::string head;
  http::append_response_head(head, exchange.response, forwarding);
  exchange.status = 101;
  exchange.reason = CloseReason::kCompleted;
  worker_.counters().handshakes.observe(worker_.now() - exchange.started);
  record();

  RelayStart start{.downstream = std::move(downstream_),
                   .upstream = std::move(exchange.upstream),
                   .slot = std::move(slot_),
                   .lease = std::move(exchange.lease),
                   .policy = exchange.route->policy,
                   .client = client_,
                   .id = exchange.id,
                   .switching_head = head,
                   .from_upstream = exchange.upstream_in.view(),
                   .from_downstream = in_.view()};
  Relay::start(worker_, std::move(start));
  return Next::kHandedOver;
}

}  // namespace holdfast::proxy
