#include "proxy/metrics.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <utility>

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
    "refused", "timeout", "ports", "descriptors", "abandoned", "tls", "other"};

/// In place of the names of routes without series of their own.
constexpr const char* kOtherRoutes = "_other";

std::string label_of(std::size_t reason) {
  return std::string(facts_of(static_cast<CloseReason>(reason)).label);
}

MetricFamily family_of(const char* name, const char* help, MetricType type) {
  return {name, help, type, {}};
}

void add(MetricFamily& family, Labels labels, std::uint64_t value) {
  MetricSample& sample = family.samples.emplace_back();
  sample.labels = std::move(labels);
  sample.value = static_cast<double>(value);
}

/// The routes whose series are one: one route, or all that have none of their own.
struct Group {
  RouteNames names;
  std::span<const std::shared_ptr<RoutePolicy>> policies;

  [[nodiscard]] Labels labels(Labels more = {}) const {
    Labels all = {{"namespace", names.ingress_namespace},
                  {"ingress", names.ingress},
                  {"service", names.service}};
    std::ranges::move(more, std::back_inserter(all));
    return all;
  }

  template <class Visit>
  void each(Visit visit) const {
    for (const auto& policy : policies) {
      for (const RouteCounters& counters : policy->all_counters()) visit(counters);
    }
  }

  template <class Value>
  [[nodiscard]] std::uint64_t sum(Value value) const {
    std::uint64_t total = 0;
    each([&](const RouteCounters& counters) { total += value(counters); });
    return total;
  }
};

void add_gauge(MetricFamily& family, const Group& group, Counter RouteCounters::*member) {
  add(family, group.labels(), group.sum([&](const auto& c) { return (c.*member).value(); }));
}

/// One series for each counter of an array that has counted something: most never do. `labels_of`
/// says what labels the i-th has.
template <std::size_t kSize, class LabelsOf>
void add_array(MetricFamily& family, const Group& group,
               std::array<Counter, kSize> RouteCounters::*member, LabelsOf labels_of) {
  for (std::size_t i = 0; i < kSize; ++i) {
    const std::uint64_t total = group.sum([&](const auto& c) { return (c.*member)[i].value(); });
    if (total > 0) add(family, group.labels(labels_of(i)), total);
  }
}

/// Always shown, so that rates have a beginning.
void add_directions(MetricFamily& family, const Group& group,
                    std::array<Counter, kDirectionCount> RouteCounters::*member) {
  for (std::size_t i = 0; i < kDirectionCount; ++i) {
    add(family, group.labels({{"direction", kDirectionLabels[i]}}),
        group.sum([&](const auto& c) { return (c.*member)[i].value(); }));
  }
}

void add_closes(MetricFamily& family, const Group& group) {
  std::array<std::array<std::uint64_t, kCloseCodeLabels.size()>, kCloseReasonCount> totals{};
  bool any = false;
  group.each([&](const RouteCounters& counters) {
    const CloseCounters* closes = counters.closes();
    if (closes == nullptr) return;
    any = true;
    for (std::size_t reason = 0; reason < totals.size(); ++reason) {
      for (std::size_t code = 0; code < kCloseCodeLabels.size(); ++code) {
        totals[reason][code] += closes->by_reason_and_code[reason][code].value();
      }
    }
  });
  if (!any) return;
  for (std::size_t reason = 0; reason < totals.size(); ++reason) {
    for (std::size_t code = 0; code < kCloseCodeLabels.size(); ++code) {
      if (totals[reason][code] == 0) continue;
      add(family,
          group.labels(
              {{"reason", label_of(reason)}, {"code", std::string(kCloseCodeLabels[code])}}),
          totals[reason][code]);
    }
  }
}

Labels reason_labels(std::size_t reason) { return {{"reason", label_of(reason)}}; }

Labels upgrade_labels(std::size_t reason) {
  const bool opened = static_cast<CloseReason>(reason) == CloseReason::kCompleted;
  return {{"result", opened ? "opened" : "refused"}, {"reason", label_of(reason)}};
}

/// The families by route.
struct RouteFamilies {
  MetricFamily open =
      family_of("holdfast_websockets_open", "WebSockets open now.", MetricType::kGauge);
  MetricFamily under_way = family_of("holdfast_http_requests_open",
                                     "Plain HTTP requests under way.", MetricType::kGauge);
  MetricFamily streams =
      family_of("holdfast_http_streams_open",
                "Answers under way, one to a declined handshake included.", MetricType::kGauge);
  MetricFamily upgrades =
      family_of("holdfast_upgrades_total",
                "WebSocket handshakes that were routed, by how they ended.", MetricType::kCounter);
  MetricFamily messages =
      family_of("holdfast_websocket_messages_total",
                "WebSocket messages passed on, while connections are open.", MetricType::kCounter);
  MetricFamily bytes = family_of("holdfast_websocket_bytes_total",
                                 "Bytes of WebSocket frames passed on, while connections are open.",
                                 MetricType::kCounter);
  MetricFamily closes =
      family_of("holdfast_websocket_closes_total",
                "WebSockets closed, by what ended them and the close code that passed.",
                MetricType::kCounter);
  MetricFamily requests =
      family_of("holdfast_http_requests_total",
                "Plain HTTP requests that were routed, by the class of the status sent.",
                MetricType::kCounter);
  MetricFamily request_failures =
      family_of("holdfast_http_request_failures_total",
                "Plain HTTP requests that were routed and not answered in full by the service, by "
                "reason.",
                MetricType::kCounter);
  MetricFamily connect_failures =
      family_of("holdfast_connect_failures_total",
                "Connections to endpoints that could not be made.", MetricType::kCounter);
  MetricFamily ejections = family_of(
      "holdfast_ejections_total",
      "Endpoints put out of the choice because connects to them failed.", MetricType::kCounter);

  void add_group(const Group& group) {
    add_gauge(open, group, &RouteCounters::open_websockets);
    add_gauge(under_way, group, &RouteCounters::open_requests);
    add_gauge(streams, group, &RouteCounters::open_streams);
    add_directions(messages, group, &RouteCounters::messages);
    add_directions(bytes, group, &RouteCounters::bytes);
    add_closes(closes, group);
    add_array(upgrades, group, &RouteCounters::upgrades, upgrade_labels);
    add_array(requests, group, &RouteCounters::requests, [](std::size_t i) -> Labels {
      return {{"status", kStatusLabels[i]}};
    });
    add_array(request_failures, group, &RouteCounters::request_failures, reason_labels);
    const std::uint64_t ejected = group.sum([](const auto& c) { return c.ejections.value(); });
    if (ejected > 0) add(ejections, group.labels(), ejected);
    add_array(connect_failures, group, &RouteCounters::connect_failures,
              [](std::size_t i) -> Labels {
                return {{"reason", kConnectFailureLabels[i]}};
              });
  }
};

}  // namespace

void collect_routes(std::vector<std::shared_ptr<RoutePolicy>> policies,
                    std::vector<MetricFamily>& out) {
  const auto others = std::partition(policies.begin(), policies.end(),
                                     [](const auto& policy) { return policy->has_series; });
  RouteFamilies families;
  for (auto one = policies.begin(); one != others; ++one) {
    families.add_group({(*one)->names, {one, 1}});
  }
  if (others != policies.end()) {
    families.add_group({{kOtherRoutes, kOtherRoutes, kOtherRoutes}, {others, policies.end()}});
  }
  for (MetricFamily* family :
       {&families.open, &families.under_way, &families.streams, &families.upgrades,
        &families.messages, &families.bytes, &families.closes, &families.requests,
        &families.request_failures, &families.connect_failures, &families.ejections}) {
    out.push_back(std::move(*family));
  }
}

void collect_clusters(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
                      const ClusterPolicies& policies, base::Instant now,
                      std::vector<MetricFamily>& out) {
  MetricFamily ejected =
      family_of("holdfast_endpoints_ejected",
                "Endpoints out of the choice because connects to them failed.", MetricType::kGauge);
  MetricFamily unhealthy =
      family_of("holdfast_endpoints_unhealthy", "Endpoints that fail their health checks.",
                MetricType::kGauge);
  for (const auto& entry : clusters) {
    const Cluster& cluster = *entry.second;
    const auto parts = model::parse_cluster_name(entry.first);
    if (!parts) continue;
    const Labels labels = {{"namespace", parts->service_namespace},
                           {"service", parts->service},
                           {"port", parts->port}};
    const auto count = [&](auto is_so) {
      return static_cast<std::uint64_t>(std::ranges::count_if(cluster.ready_members, is_so));
    };
    const EjectionPolicy ejection = policy_of(policies, entry.first).ejection;
    const std::uint64_t out_now =
        count([&](const Membership& member) { return member.health->is_ejected(ejection, now); });
    if (out_now > 0) add(ejected, labels, out_now);
    // Only what is left out has a series: their number is bounded by the trouble there is, not by
    // the Services that have checks.
    const std::uint64_t ill =
        count([](const Membership& member) { return member.health->fails_checks(); });
    if (ill > 0) add(unhealthy, labels, ill);
  }
  out.push_back(std::move(ejected));
  out.push_back(std::move(unhealthy));
}

void collect_checks(const HealthChecker& checker, std::vector<MetricFamily>& out) {
  MetricFamily checks =
      family_of("holdfast_health_checks_total", "Health checks by result.", MetricType::kCounter);
  add(checks, {{"result", "success"}}, checker.succeeded().value());
  add(checks, {{"result", "failure"}}, checker.failed().value());
  out.push_back(std::move(checks));
}

void collect_tls(const std::vector<const WorkerCounters*>& workers,
                 const IdentityCompiler::Certificates& certificates,
                 std::vector<MetricFamily>& out) {
  MetricFamily under_way = family_of("holdfast_tls_handshakes_under_way",
                                     "TLS handshakes with clients under way.", MetricType::kGauge);
  MetricFamily done =
      family_of("holdfast_tls_handshakes_total",
                "TLS handshakes with clients that are done, by version and whether a session was "
                "resumed.",
                MetricType::kCounter);
  MetricFamily failed =
      family_of("holdfast_tls_handshake_failures_total",
                "TLS handshakes with clients that have failed, by reason.", MetricType::kCounter);
  MetricFamily expiry = family_of(
      "holdfast_certificate_expiry_timestamp_seconds",
      "When a certificate that is served expires, in seconds since 1970.", MetricType::kGauge);
  const auto total = [&](auto value) {
    std::uint64_t result = 0;
    for (const WorkerCounters* counters : workers) result += value(counters->tls);
    return result;
  };
  add(under_way, {}, total([](const TlsCounters& c) { return c.under_way.value(); }));
  for (std::size_t version = 0; version < kTlsVersionLabels.size(); ++version) {
    for (const bool resumed : {false, true}) {
      add(done,
          {{"version", std::string(kTlsVersionLabels[version])},
           {"resumed", resumed ? "true" : "false"}},
          total([&](const TlsCounters& c) { return c.done[version][resumed ? 1 : 0].value(); }));
    }
  }
  for (std::size_t i = 1; i < tls::kHandshakeFailureCount; ++i) {
    add(failed, {{"reason", std::string(to_string(static_cast<tls::HandshakeFailure>(i)))}},
        total([&](const TlsCounters& c) { return c.failed[i].value(); }));
  }
  for (const auto& [name, certificate] : certificates) {
    const std::size_t slash = name.find('/');
    const auto until = std::chrono::duration_cast<std::chrono::seconds>(
        certificate->facts().not_after.time_since_epoch());
    add(expiry, {{"namespace", name.substr(0, slash)}, {"secret", name.substr(slash + 1)}},
        static_cast<std::uint64_t>(std::max<std::int64_t>(until.count(), 0)));
  }
  for (MetricFamily* family : {&under_way, &done, &failed, &expiry}) {
    out.push_back(std::move(*family));
  }
}

void collect_workers(const std::vector<const WorkerCounters*>& workers,
                     std::vector<MetricFamily>& out) {
  const auto total = [&](auto value) {
    std::uint64_t result = 0;
    for (const WorkerCounters* counters : workers) result += value(*counters);
    return result;
  };
  const auto single = [&](const char* name, const char* help, MetricType type, auto value) {
    out.push_back(base::single_metric(name, help, type, static_cast<double>(total(value))));
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

  MetricFamily refused =
      family_of("holdfast_downstream_refused_total",
                "Downstream connections closed before a request, by reason.", MetricType::kCounter);
  MetricFamily unrouted =
      family_of("holdfast_unrouted_requests_total",
                "Requests that ended before a route was found, by reason.", MetricType::kCounter);
  for (std::size_t i = 0; i < kCloseReasonCount; ++i) {
    const std::uint64_t count =
        total([&](const WorkerCounters& c) { return c.unrouted[i].value(); });
    if (count > 0) add(unrouted, reason_labels(i), count);
  }
  using enum CloseReason;
  for (const CloseReason reason :
       {kUntrustedProxy, kBadProxyHeader, kTlsFailed, kTlsTimedOut, kTlsCrowdedOut}) {
    const auto index = static_cast<std::size_t>(reason);
    add(refused, reason_labels(index),
        total([&](const WorkerCounters& c) { return c.refused[index].value(); }));
  }
  out.push_back(std::move(refused));
  out.push_back(std::move(unrouted));

  MetricFamily handshakes = family_of(
      "holdfast_handshake_duration_seconds",
      "Seconds from the first byte of a WebSocket handshake to its 101.", MetricType::kHistogram);
  MetricFamily lifetimes = family_of("holdfast_websocket_lifetime_seconds",
                                     "Seconds that WebSockets were open, observed when they close.",
                                     MetricType::kHistogram);
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
