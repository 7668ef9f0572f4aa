#pragma once

// The data plane's metrics, put together at scrape time from what the workers count.

#include <memory>
#include <vector>

#include "base/metric.h"
#include "proxy/route.h"
#include "proxy/worker.h"

namespace holdfast::proxy {

/// Series by route, each with namespace, ingress and service; "_other", which is no name in
/// Kubernetes, the sum of those without series of their own. Any thread.
void collect_routes(std::vector<std::shared_ptr<RoutePolicy>> policies,
                    std::vector<base::MetricFamily>& out);

/// Series of the process as a whole. Any thread.
void collect_workers(const std::vector<const WorkerCounters*>& workers,
                     std::vector<base::MetricFamily>& out);

}  // namespace holdfast::proxy
