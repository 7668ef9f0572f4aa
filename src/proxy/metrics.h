#pragma once

// The data plane's metrics, put together at scrape time from what the workers count.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/metric.h"
#include "proxy/endpoint.h"
#include "proxy/endpoint_info.h"
#include "proxy/health_checker.h"
#include "proxy/route.h"
#include "proxy/worker.h"

namespace holdfast::proxy {

/// Series by route, each with namespace, ingress and service; "_other", which is no name in
/// Kubernetes, the sum of those without series of their own. Any thread.
void collect_routes(std::vector<std::shared_ptr<RoutePolicy>> policies,
                    std::vector<base::MetricFamily>& out);

/// Series by cluster: namespace, service and port label each of them. Any thread.
void collect_clusters(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters,
                      const ClusterPolicies& policies, base::Instant now,
                      std::vector<base::MetricFamily>& out);

/// Any thread.
void collect_checks(const HealthChecker& checker, std::vector<base::MetricFamily>& out);

/// Handshakes of the process as a whole, and each certificate by namespace and secret. Any thread.
void collect_tls(const std::vector<const WorkerCounters*>& workers,
                 const IdentityCompiler::Certificates& certificates,
                 std::vector<base::MetricFamily>& out);

/// Series of the process as a whole. Any thread.
void collect_workers(const std::vector<const WorkerCounters*>& workers,
                     std::vector<base::MetricFamily>& out);

}  // namespace holdfast::proxy
