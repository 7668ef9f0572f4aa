#include "proxy/metrics.h"

#include <algorithm>
#include <functional>
#include <string>

#include "model/resource.h"

namespace holdfast::proxy {

namespace {

using base::MetricFamily;
using base::MetricSample;
using base::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<const char*, kDirectionCount> kDirectionLabels = {"upstreamward",
                                                                       "downstreamward"};
constexpr std::array<const char*, 6> kStatusLabels = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::array<const char*, kConnectFailureCount> kConnectFailureLabels = {
    "refused", "timeout", "other"};

std::string label_of(std::size_t reason) {
  return std::string(facts_of(static_cast<CloseReason>(reason)).label);
}

Labels labels_of(const RoutePolicy& policy, Labels more = {}) {
  Labels labels = {{"namespace", policy.names.ingress_namespace},
                   {"ingress", policy.names.ingress},
                   {"service", policy.names.service}};
  for (auto& label : more) labels.push_back(std::move(label));
  return labels;
}

std::uint64_t sum(const RoutePolicy& policy,
                  const std::function<std::uint64_t(const RouteCounters&)>& value) {
  std::uint64_t total = 0;
  for (const RouteCounters& counters : policy.all_counters()) total += value(counters);
  return total;
}

void add(MetricFamily& family, Labels labels, std::uint64_t value) {
  MetricSample& sample = family.samples.emplace_back();
  sample.labels = std::move(labels);
  sample.value = static_cast<double>(value);
}

/// A series that never counted anything is not shown: most combinations never do.
void add_if_any(MetricFamily& family, Labels labels, std::uint64_t value) {
  if (value > 0) add(family, std::move(labels), value);
}

void add_closes(MetricFamily& family, const RoutePolicy& policy) {
  const auto& all = policy.all_counters();
  const bool none = std::all_of(all.begin(), all.end(), [](const RouteCounters& counters) {
    return counters.closes() == nullptr;
  });
  if (none) return;
  for (std::size_t reason = 0; reason < kCloseReasonCount; ++reason) {
    for (std::size_t code = 0; code < kCloseCodeLabels.size(); ++code) {
      const std::uint64_t count = sum(policy, [&](const RouteCounters& counters) -> std::uint64_t {
        const CloseCounters* closes = counters.closes();
        return closes == nullptr ? 0 : closes->by_reason_and_code[reason][code].value();
      });
      add_if_any(family,
                 labels_of(policy, {{"reason", label_of(reason)},
                                    {"code", std::string(kCloseCodeLabels[code])}}),
                 count);
    }
  }
}

template <class Member>
void add_directions(MetricFamily& family, const RoutePolicy& policy, Member member) {
  for (std::size_t i = 0; i < kDirectionCount; ++i) {
    add(family, labels_of(policy, {{"direction", kDirectionLabels[i]}}),
        sum(policy, [&](const RouteCounters& counters) { return (counters.*member)[i].value(); }));
  }
}

}  // namespace

void collect_routes(const std::vector<std::shared_ptr<RoutePolicy>>& policies,
                    std::vector<MetricFamily>& out) {
  MetricFamily open{"holdfast_websockets_open", "WebSockets open now.", MetricType::kGauge, {}};
  MetricFamily under_way{
      "holdfast_http_requests_open", "Plain HTTP requests under way.", MetricType::kGauge, {}};
  MetricFamily streams{"holdfast_http_streams_open",
                       "Answers under way, one to a declined handshake included.",
                       MetricType::kGauge,
                       {}};
  MetricFamily upgrades{"holdfast_upgrades_total",
                        "WebSocket handshakes that were routed, by how they ended.",
                        MetricType::kCounter,
                        {}};
  MetricFamily messages{"holdfast_websocket_messages_total",
                        "WebSocket messages passed on, while connections are open.",
                        MetricType::kCounter,
                        {}};
  MetricFamily bytes{"holdfast_websocket_bytes_total",
                     "Bytes of WebSocket frames passed on, while connections are open.",
                     MetricType::kCounter,
                     {}};
  MetricFamily closes{"holdfast_websocket_closes_total",
                      "WebSockets closed, by what ended them and the close code that passed.",
                      MetricType::kCounter,
                      {}};
  MetricFamily requests{"holdfast_http_requests_total",
                        "Plain HTTP requests that were routed, by the class of the status sent.",
                        MetricType::kCounter,
                        {}};
  MetricFamily failures{"holdfast_connect_failures_total",
                        "Connections to endpoints that could not be made.",
                        MetricType::kCounter,
                        {}};
  MetricFamily ejections{"holdfast_ejections_total",
                         "Endpoints put out of the choice because connects to them failed.",
                         MetricType::kCounter,
                         {}};
  for (const auto& policy : policies) {
    add_if_any(ejections, labels_of(*policy),
               sum(*policy, [](const RouteCounters& c) { return c.ejections.value(); }));
    add(open, labels_of(*policy), sum(*policy, [](const RouteCounters& counters) {
          return counters.open_websockets.value();
        }));
    add(under_way, labels_of(*policy),
        sum(*policy, [](const RouteCounters& counters) { return counters.open_requests.value(); }));
    add(streams, labels_of(*policy),
        sum(*policy, [](const RouteCounters& counters) { return counters.open_streams.value(); }));
    add_directions(messages, *policy, &RouteCounters::messages);
    add_directions(bytes, *policy, &RouteCounters::bytes);
    add_closes(closes, *policy);
    for (std::size_t i = 0; i < kCloseReasonCount; ++i) {
      const bool opened = static_cast<CloseReason>(i) == CloseReason::kCompleted;
      add_if_any(
          upgrades,
          labels_of(*policy, {{"result", opened ? "opened" : "refused"}, {"reason", label_of(i)}}),
          sum(*policy, [&](const RouteCounters& c) { return c.upgrades[i].value(); }));
    }
    for (std::size_t i = 0; i < kStatusLabels.size(); ++i) {
      add_if_any(requests, labels_of(*policy, {{"status", kStatusLabels[i]}}),
                 sum(*policy, [&](const RouteCounters& c) { return c.requests[i].value(); }));
    }
    for (std::size_t i = 0; i < kConnectFailureCount; ++i) {
      add_if_any(
          failures, labels_of(*policy, {{"reason", kConnectFailureLabels[i]}}),
          sum(*policy, [&](const RouteCounters& c) { return c.connect_failures[i].value(); }));
    }
  }
  for (MetricFamily* family : {&open, &under_way, &streams, &upgrades, &messages, &bytes, &closes,
                               &requests, &failures, &ejections}) {
    out.push_back(std::move(*family));
  }
}

void collect_clusters(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
                      base::Instant now, std::vector<MetricFamily>& out) {
  MetricFamily ejected{"holdfast_endpoints_ejected",
                       "Endpoints out of the choice because connects to them failed.",
                       MetricType::kGauge,
                       {}};
  MetricFamily unhealthy{"holdfast_endpoints_unhealthy",
                         "Endpoints out of the choice because of health checks.",
                         MetricType::kGauge,
                         {}};
  for (const auto& entry : clusters) {
    const Cluster& cluster = *entry.second;
    const auto parts = model::parse_cluster_name(entry.first);
    if (!parts) continue;
    const Labels labels = {{"namespace", parts->service_namespace},
                           {"service", parts->service},
                           {"port", parts->port}};
    const auto count = [&](auto is_so) {
      return static_cast<std::uint64_t>(std::ranges::count_if(cluster.ready, is_so));
    };
    add_if_any(ejected, labels,
               count([&](const EndpointPtr& endpoint) { return endpoint->is_ejected(now); }));
    if (!cluster.health_check) continue;
    add(unhealthy, labels, count([](const EndpointPtr& endpoint) {
          return endpoint->failing_checks.load(std::memory_order_relaxed) > 0;
        }));
  }
  out.push_back(std::move(ejected));
  out.push_back(std::move(unhealthy));
}

void collect_checks(const HealthChecker& checker, std::vector<MetricFamily>& out) {
  MetricFamily checks{
      "holdfast_health_checks_total", "Health checks by result.", MetricType::kCounter, {}};
  add(checks, {{"result", "success"}}, checker.succeeded().value());
  add(checks, {{"result", "failure"}}, checker.failed().value());
  out.push_back(std::move(checks));
}

void collect_workers(const std::vector<const WorkerCounters*>& workers,
                     std::vector<MetricFamily>& out) {
  const auto total = [&](auto value) {
    std::uint64_t result = 0;
    for (const WorkerCounters* counters : workers) result += value(*counters);
    return result;
  };
  const auto single = [&](const char* name, const char* help, MetricType type, auto value) {
    MetricFamily family{name, help, type, {}};
    add(family, {}, total(value));
    out.push_back(std::move(family));
  };
  single("holdfast_downstream_connections", "Downstream connections open now.", MetricType::kGauge,
         [](const WorkerCounters& c) { return c.open_connections.value(); });
  single("holdfast_downstream_accepted_total", "Downstream connections accepted.",
         MetricType::kCounter, [](const WorkerCounters& c) { return c.accepted.value(); });
  single("holdfast_accept_paused",
         "Listening sockets that do not accept now because descriptors have run out.",
         MetricType::kGauge, [](const WorkerCounters& c) { return c.accept_paused.value(); });
  single("holdfast_accept_pauses_total", "Times that accepting was paused for want of descriptors.",
         MetricType::kCounter, [](const WorkerCounters& c) { return c.accept_pauses.value(); });

  MetricFamily unrouted{"holdfast_unrouted_requests_total",
                        "Requests that ended before a route was found, by reason.",
                        MetricType::kCounter,
                        {}};
  for (std::size_t i = 0; i < kCloseReasonCount; ++i) {
    add_if_any(unrouted, {{"reason", label_of(i)}},
               total([&](const WorkerCounters& c) { return c.unrouted[i].value(); }));
  }
  out.push_back(std::move(unrouted));

  MetricFamily handshakes{"holdfast_handshake_duration_seconds",
                          "Seconds from the first byte of a WebSocket handshake to its 101.",
                          MetricType::kHistogram,
                          {}};
  MetricFamily lifetimes{"holdfast_websocket_lifetime_seconds",
                         "Seconds that WebSockets were open, observed when they close.",
                         MetricType::kHistogram,
                         {}};
  MetricSample& handshake = handshakes.samples.emplace_back();
  MetricSample& lifetime = lifetimes.samples.emplace_back();
  for (const WorkerCounters* counters : workers) {
    counters->handshakes.add_to(handshake);
    counters->lifetimes.add_to(lifetime);
  }
  out.push_back(std::move(handshakes));
  out.push_back(std::move(lifetimes));
}

}  // namespace holdfast::proxy
