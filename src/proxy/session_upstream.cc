// Reaching an endpoint, sending the request's head and reading the response's.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "http/hop_by_hop.h"
#include "http/serialize.h"
#include "http/traceparent.h"
#include "proxy/affinity.h"
#include "proxy/hash_key.h"
#include "proxy/limits.h"
#include "proxy/rewrite.h"
#include "proxy/session.h"
#include "proxy/session_wait.h"
#include "proxy/socket_options.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

/// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

/// The most fields that upstream_head() sets by itself.
constexpr std::size_t kFieldsOfOurs = 10;

/// What only a trusted proxy may say.
bool speaks_of_client(std::string_view name) {
  constexpr std::string_view kPrefix = "x-forwarded-";
  return http::equal_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) ||
         http::equal_ignoring_case(name, "forwarded");
}

/// Connection names it: it goes no further than this.
bool stays_behind(const http::RequestHead& request, std::string_view name) {
  return http::ForwardFilter(request, {}).drops(name);
}

struct ConnectError {
  ConnectFailure failure;
  CloseReason reason;
};

ConnectError connect_error(int error) {
  if (is_exhaustion(error)) {
    return {ConnectFailure::kDescriptors, CloseReason::kDescriptorsExhausted};
  }
  // Of ours towards this endpoint; another one may have some left.
  if (error == EADDRNOTAVAIL) return {ConnectFailure::kPorts, CloseReason::kPortsExhausted};
  if (error == ETIMEDOUT) return {ConnectFailure::kTimeout, CloseReason::kConnectTimedOut};
  return {error == ECONNREFUSED ? ConnectFailure::kRefused : ConnectFailure::kOther,
          CloseReason::kConnectFailed};
}

int pending_error(int descriptor) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace

std::string Session::upstream_head() {
  Exchange& exchange = *exchange_;
  const Forwarding& route = exchange.route->settings->forwarding;
  const std::string client = base::to_string(exchange.client.address);
  const std::string id = exchange.id.to_string();
  std::string trace;
  std::string hops_left;
  std::vector<http::Field> set;
  set.reserve(kFieldsOfOurs + route.request_fields.size());
  for (const v1::FieldChange& change : route.request_fields) {
    set.push_back({change.name(), change.value()});
  }
  // What the route says of a field goes before what we would.
  const auto is_changed = [&](std::string_view name) {
    return std::any_of(set.begin(), set.end(), [&](const http::Field& field) {
      return http::equal_as_variable(field.name, name);
    });
  };
  const auto ours = [&](std::string_view name, std::string_view value) {
    if (!is_changed(name)) set.push_back({name, value});
  };
  ours("X-Forwarded-For", exchange.client.forwarded_for);
  ours("X-Forwarded-Proto", exchange.client.scheme());
  ours("X-Forwarded-Host", exchange.client.host);
  ours("X-Forwarded-Port", exchange.client.port);
  ours("X-Real-IP", client);
  ours("X-Request-ID", id);
  std::vector<std::string> certificate_texts;
  add_certificate_fields(set, certificate_texts);
  if (!exchange.client.by_proxy) {
    for (const http::Field& field : exchange.request.fields) {
      if (speaks_of_client(field.name)) ours(field.name, "");
    }
  }
  using Trace = Exchange::Trace;
  exchange.trace = Trace::kNone;
  if (is_changed("traceparent")) {
    // The pod gets what the route says, which names no request.
  } else if (!http::trace_id(exchange.request).empty() &&
             !stays_behind(exchange.request, "traceparent")) {
    exchange.trace = Trace::kGiven;
  } else if (route.starts_trace) {
    exchange.trace = Trace::kStarted;
    trace = http::make_traceparent(exchange.id.hex(), worker_.random().next() | 1);
    ours("traceparent", trace);
    // It belongs to the trace that this one is not.
    ours("tracestate", "");
  } else if (stays_behind(exchange.request, "traceparent")) {
    ours("tracestate", "");
  }
  if (const auto hops = http::hops_left(exchange.request)) {
    hops_left = std::to_string(*hops - 1);
    ours("Max-Forwards", hops_left);
  }
  const std::string target = rewritten_target(*exchange.route, exchange.request);
  http::RequestForwarding forwarding;
  // A handshake has no body, though it may say so.
  forwarding.framing = exchange.upgrade ? http::Framing::kNone : exchange.request.framing;
  forwarding.websocket_upgrade = exchange.upgrade;
  forwarding.set = set;
  forwarding.host = route.upstream_host;
  forwarding.target = target;
  std::string head;
  http::append_request_head(head, exchange.request, forwarding);
  return head;
}

std::string Session::affinity_cookie(const Cluster& cluster, std::string entry) const {
  const std::string& name = exchange_->target->affinity_cookie;
  const Route& route = *exchange_->route;
  entry += other_entries(exchange_->request, name, cluster.affinity_tag);
  return set_cookie(name, *route.settings->balancing.affinity, entry, route.matched,
                    exchange_->client.https);
}

Pick Session::choose_endpoint(const Cluster& cluster, CloseReason& why_none) {
  Exchange& exchange = *exchange_;
  const Balancing& balancing = exchange.route->settings->balancing;
  exchange.affinity_cookie.clear();
  if (balancing.affinity) {
    AffinityClaim claim = find_claim(exchange.request, exchange.target->affinity_cookie, balancing,
                                     cluster, worker_.now());
    const bool must_be_it = balancing.affinity->fail_when_gone();
    if (claim.gone && must_be_it) why_none = CloseReason::kAffinityGone;
    const bool named = claim.pick.endpoint != nullptr;
    const bool tried = named && std::ranges::count(exchange.tried, claim.pick.endpoint) > 0;
    if (named && !tried) return std::move(claim.pick);
    if (claim.gone && must_be_it) exchange.affinity_cookie = affinity_cookie(cluster, "");
    if ((claim.gone || tried) && must_be_it) return {};
  }
  Choice choice{.balancing = balancing,
                .tried = exchange.tried,
                .now = worker_.now(),
                .random = worker_.random()};
  if (balancing.hash_by) {
    choice.key = hash_key(*balancing.hash_by, exchange.request, exchange.client.address);
  }
  Pick pick = pick_endpoint(cluster, choice);
  if (balancing.affinity && pick.endpoint != nullptr) {
    if (const auto key = key_of(cluster, *pick.endpoint)) {
      exchange.affinity_cookie =
          affinity_cookie(cluster, affinity_entry(cluster.affinity_tag, *key));
    }
  }
  return pick;
}

Task<CloseReason> Session::reach_upstream() {
  Exchange& exchange = *exchange_;
  CloseReason last = CloseReason::kNoEndpoint;
  while (exchange.tries < kTriesMost) {
    // Asked anew each time: what is tried next may have come with a change a moment ago.
    const auto cluster = worker_.snapshot().find_cluster(exchange.target->cluster);
    if (cluster == nullptr) co_return last;
    // Holds on to the right to probe, where that is what it is for, until the try has been counted.
    Pick pick = choose_endpoint(*cluster, last);
    if (pick.endpoint == nullptr && forgive_unanswered()) pick = choose_endpoint(*cluster, last);
    if (pick.endpoint == nullptr) co_return last;
    exchange.lease = EndpointLease(pick.endpoint);
    ++exchange.tries;
    if (!exchange.upgrade && !exchange.fresh_only && !has_preamble()) {
      const tls::ClientContext* tls = cluster->tls ? cluster->tls->context.get() : nullptr;
      const bool may_keep = !cluster->tls || tls != nullptr;
      if (may_keep) exchange.upstream = worker_.upstreams().take(*pick.endpoint, tls);
    }
    exchange.is_fresh = exchange.upstream == nullptr;
    if (!exchange.is_fresh) {
      exchange.upstream->set_handler(this);
      co_return CloseReason::kNone;
    }
    exchange.tried.push_back(pick.endpoint);
    const UpstreamTls* tls = cluster->tls ? &*cluster->tls : nullptr;
    last = co_await connect({*pick.health, worker_.now(), tls});
    if (last == CloseReason::kNone) co_return last;
    exchange.upstream = nullptr;
    exchange.lease = {};
    const bool hopeless =
        last != CloseReason::kConnectFailed && last != CloseReason::kConnectTimedOut &&
        last != CloseReason::kUpstreamTlsFailed && last != CloseReason::kPortsExhausted;
    if (hopeless) co_return last;
  }
  co_return last;
}

bool Session::forgive_unanswered() {
  Exchange& exchange = *exchange_;
  if (exchange.unanswered.empty()) return false;
  std::erase_if(exchange.tried, [&](const EndpointPtr& endpoint) {
    return std::ranges::count(exchange.unanswered, endpoint) > 0;
  });
  exchange.unanswered.clear();
  return true;
}

Task<CloseReason> Session::connect(Try attempt) {
  const Address& address = exchange_->lease.endpoint()->address;
  const base::Instant deadline = attempt.begun + exchange_->route->settings->connect_timeout;
  Dialer::Dialled dialled = worker_.dialer().dial(address);
  if (is_exhaustion(dialled.error) && !worker_.upstreams().empty()) {
    worker_.upstreams().clear();
    dialled = worker_.dialer().dial(address);
  }
  while (dialled.error == EAGAIN) {
    const base::Instant again = worker_.now() + kUnixQueuePause;
    if (again >= deadline) co_return count_connect_failure(attempt, ETIMEDOUT);
    static_cast<void>(co_await wait(exchange_->upgrade ? kDownstreamEnded : kNothing, again));
    if (downstream_gone()) co_return count_abandoned_connect(attempt);
    dialled = worker_.dialer().dial(address);
  }
  if (dialled.descriptor < 0) co_return count_connect_failure(attempt, dialled.error);
  exchange_->upstream =
      worker_.sockets().add(dialled.descriptor, this, dialled.error != EINPROGRESS);
  if (exchange_->upstream == nullptr) co_return count_connect_failure(attempt, EMFILE);
  const unsigned interests = kUpstreamWritable | (exchange_->upgrade ? kDownstreamEnded : kNothing);
  if (!co_await wait(interests, deadline)) co_return count_connect_failure(attempt, ETIMEDOUT);
  if (exchange_->upstream->broken()) {
    co_return count_connect_failure(attempt, pending_error(dialled.descriptor));
  }
  if (!exchange_->upstream->writable()) co_return count_abandoned_connect(attempt);
  if (attempt.tls != nullptr) {
    const CloseReason failure = co_await secure_upstream(attempt, deadline);
    if (failure != CloseReason::kNone) co_return failure;
  }
  attempt.health.count_success(exchange_->route->settings->balancing.ejection, worker_.now());
  co_return CloseReason::kNone;
}

CloseReason Session::count_connect_failure(const Try& attempt, int error) {
  const ConnectError meaning = connect_error(error);
  note_failed_connect(attempt, meaning.failure);
  return meaning.reason;
}

CloseReason Session::count_abandoned_connect(const Try& attempt) {
  // A client that leaves at once says nothing of the pod. But were nothing counted, a pod that
  // answers no SYN would stay in the choice for as long as clients are less patient than we are.
  const base::Duration patience =
      exchange_->route->settings->connect_timeout * kAbandonedPercentLeast / 100;
  if (worker_.now() - attempt.begun >= patience) {
    note_failed_connect(attempt, ConnectFailure::kAbandoned);
  }
  return CloseReason::kDownstreamEnded;
}

void Session::note_failed_connect(const Try& attempt, ConnectFailure failure) {
  RouteCounters& counters = exchange_->target->policy->counters(worker_.index());
  counters.connect_failures[static_cast<std::size_t>(failure)].add();
  // These are our own.
  if (failure == ConnectFailure::kDescriptors || failure == ConnectFailure::kPorts) return;
  const auto cluster = worker_.snapshot().find_cluster(exchange_->target->cluster);
  if (cluster == nullptr || !count_failed_connect(*cluster, attempt.health,
                                                  exchange_->route->settings->balancing.ejection,
                                                  attempt.begun, worker_.now())) {
    return;
  }
  counters.ejections.add();
  worker_.shared().log.warn("an endpoint is ejected for failed connects",
                            {{"endpoint", exchange_->lease.endpoint()->text},
                             {"cluster", exchange_->target->cluster},
                             {"times", static_cast<std::int64_t>(attempt.health.ejections())}});
}

bool Session::may_try_again() const {
  const Exchange& exchange = *exchange_;
  return exchange.tries < kTriesMost && !exchange.request.has_body() &&
         exchange.upstream_in.empty() && exchange.interim_responses == 0 &&
         is_idempotent(exchange.request.method);
}

void Session::drop_upstream(bool clean) {
  Exchange& exchange = *exchange_;
  if (clean && exchange.upstream != nullptr && !has_preamble()) {
    worker_.upstreams().put(exchange.lease.endpoint(), std::move(exchange.upstream));
  }
  exchange.upstream = nullptr;
  exchange.upstream_in.clear();
  exchange.response_scanned = 0;
}

Task<CloseReason> Session::send_upstream(std::string_view bytes) {
  const base::Instant deadline = worker_.now() + kWriteStallTimeout;
  Socket& upstream = *exchange_->upstream;
  while (!bytes.empty()) {
    const Socket::Result sent = upstream.send(bytes.data(), bytes.size());
    bytes.remove_prefix(sent.bytes);
    if (sent.error != 0 && sent.error != EAGAIN) co_return CloseReason::kUpstreamNoAnswer;
    if (bytes.empty()) break;
    if (!co_await wait(kUpstreamWritable, deadline)) co_return CloseReason::kUpstreamStalled;
    if (downstream_gone()) co_return CloseReason::kDownstreamReset;
  }
  co_return CloseReason::kNone;
}

CloseReason Session::read_response_head(bool& done) {
  Exchange& exchange = *exchange_;
  for (;;) {
    if (!exchange.upstream_in.empty()) {
      const http::ParseResult result =
          http::parse_response_head(exchange.upstream_in.view(), exchange.response_scanned,
                                    exchange.request.method == "HEAD", exchange.response);
      if (result.state == http::ParseState::kError) {
        exchange.detail = http::to_string(result.error);
        return CloseReason::kBadResponse;
      }
      if (result.state == http::ParseState::kDone) {
        exchange.response_bytes = std::move(exchange.upstream_in);
        exchange.upstream_in = {};
        exchange.response_scanned = 0;
        exchange.upstream_in.assign(exchange.response_bytes.view().substr(result.head_bytes));
        done = true;
        return CloseReason::kNone;
      }
    }
    if (!exchange.upstream->readable()) return CloseReason::kNone;
    const Socket::Result read = exchange.upstream_in.receive(*exchange.upstream);
    if (read.error == EAGAIN) return CloseReason::kNone;
    if (read.bytes == 0) {
      return exchange.upstream_in.empty() && exchange.interim_responses == 0
                 ? CloseReason::kUpstreamNoAnswer
                 : CloseReason::kUpstreamReset;
    }
  }
}

}  // namespace holdfast::proxy
