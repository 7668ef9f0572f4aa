// Goal: what the workers counted is shown under the right labels, added up over workers, and no
// series is made up. Method: counters set by hand, families read as values.

#include "proxy/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace holdfast::proxy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

using Labels = std::vector<std::pair<std::string, std::string>>;

class RouteMetricsTest : public testing::Test {
 protected:
  static std::shared_ptr<RoutePolicy> route(const std::string& ingress, bool has_series = true) {
    return std::make_shared<RoutePolicy>(RouteNames{"default", ingress, "rooms"}, 2, has_series);
  }
  static Labels labels(const std::string& ingress, const Labels& more = {}) {
    Labels all = {{"namespace", "default"}, {"ingress", ingress}, {"service", "rooms"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  /// The series of one family.
  std::map<Labels, double> series(const std::string& name) {
    std::vector<base::MetricFamily> families;
    collect_routes(routes_, families);
    std::map<Labels, double> found;
    for (const base::MetricFamily& family : families) {
      if (family.name != name) continue;
      for (const base::MetricSample& sample : family.samples) found[sample.labels] = sample.value;
    }
    return found;
  }

  std::vector<std::shared_ptr<RoutePolicy>> routes_;
};

TEST_F(RouteMetricsTest, AddsUpOverWorkers) {
  routes_ = {route("chat")};
  routes_[0]->counters(0).open_websockets.add(2);
  routes_[0]->counters(1).open_websockets.add(3);
  routes_[0]->counters(0).count_close(CloseReason::kDownstreamCloseFrame, 1000);
  routes_[0]->counters(1).count_close(CloseReason::kDownstreamCloseFrame, 1000);
  EXPECT_THAT(series("holdfast_websockets_open"), ElementsAre(Pair(labels("chat"), 5)));
  EXPECT_THAT(
      series("holdfast_websocket_closes_total"),
      ElementsAre(Pair(labels("chat", {{"reason", "downstream_close"}, {"code", "1000"}}), 2)));
}

TEST_F(RouteMetricsTest, OnlyWhatHasCountedHasASeriesButForGaugesAndBytes) {
  routes_ = {route("chat")};
  for (const char* name : {"holdfast_websocket_closes_total", "holdfast_upgrades_total",
                           "holdfast_http_requests_total", "holdfast_http_request_failures_total",
                           "holdfast_connect_failures_total"}) {
    EXPECT_THAT(series(name), IsEmpty()) << name;
  }
  EXPECT_THAT(series("holdfast_http_requests_open"), ElementsAre(Pair(labels("chat"), 0)));
  EXPECT_EQ(series("holdfast_websocket_bytes_total").size(), 2U);
}

TEST_F(RouteMetricsTest, RoutesWithoutSeriesOfTheirOwnShareOne) {
  routes_ = {route("a", false), route("b"), route("c", false)};
  for (const auto& policy : routes_) {
    RouteCounters& counters = policy->counters(0);
    counters.open_requests.add();
    counters.request_failures[static_cast<std::size_t>(CloseReason::kNoEndpoint)].add();
    counters.count_close(CloseReason::kUpstreamEnded, 0);
  }
  const Labels others = {{"namespace", "_other"}, {"ingress", "_other"}, {"service", "_other"}};
  Labels failed = others;
  failed.emplace_back("reason", "no_endpoint");
  Labels closed = others;
  closed.emplace_back("reason", "upstream_ended");
  closed.emplace_back("code", "none");
  EXPECT_THAT(series("holdfast_http_requests_open"),
              UnorderedElementsAre(Pair(labels("b"), 1), Pair(others, 2)));
  EXPECT_THAT(
      series("holdfast_http_request_failures_total"),
      UnorderedElementsAre(Pair(labels("b", {{"reason", "no_endpoint"}}), 1), Pair(failed, 2)));
  EXPECT_THAT(
      series("holdfast_websocket_closes_total"),
      UnorderedElementsAre(Pair(labels("b", {{"reason", "upstream_ended"}, {"code", "none"}}), 1),
                           Pair(closed, 2)));
}

TEST(ClusterMetrics, TellWhatEachClusterHasFoundOfItsEndpoints) {
  const base::Instant now = base::Instant(std::chrono::hours(1));
  const auto endpoint = std::make_shared<Endpoint>(*Address::from_ip("10.0.0.1", 80));
  const EjectionPolicy ejection{.after = 1, .duration = std::chrono::seconds(10)};
  std::map<std::string, std::shared_ptr<const Cluster>> clusters;
  ClusterPolicies policies;
  std::map<std::string, std::shared_ptr<EndpointHealth>> healths;
  for (const char* name : {"default/ejected/80", "default/ill/80", "default/well/80"}) {
    const auto cluster = std::make_shared<Cluster>();
    cluster->state = std::make_shared<ClusterState>();
    healths[name] = std::make_shared<EndpointHealth>(cluster->state);
    cluster->ready = {endpoint};
    cluster->ready_members.push_back({.health = healths[name]});
    cluster->health_check.emplace();
    clusters[name] = cluster;
    policies[name].ejection = ejection;
  }
  EXPECT_TRUE(healths["default/ejected/80"]->eject(ejection, now));
  healths["default/ill/80"]->set_fails_checks(true, now);
  const auto series = [&](const std::string& name) {
    std::vector<base::MetricFamily> families;
    collect_clusters(clusters, policies, now, families);
    std::map<std::string, double> by_service;
    for (const base::MetricFamily& family : families) {
      if (family.name != name) continue;
      for (const base::MetricSample& sample : family.samples) {
        by_service[sample.labels.at(1).second] = sample.value;
      }
    }
    return by_service;
  };
  EXPECT_THAT(series("holdfast_endpoints_ejected"), ElementsAre(Pair("ejected", 1)));
  EXPECT_THAT(series("holdfast_endpoints_unhealthy"), ElementsAre(Pair("ill", 1)));
  // The routes do not eject any more.
  policies["default/ejected/80"].ejection = {};
  EXPECT_THAT(series("holdfast_endpoints_ejected"), IsEmpty());
}

}  // namespace
}  // namespace holdfast::proxy
