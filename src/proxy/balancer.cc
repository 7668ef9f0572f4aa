#include "proxy/balancer.h"

#include <algorithm>
#include <limits>

namespace holdfast::proxy {

namespace {

using Endpoints = std::span<const std::shared_ptr<Endpoint>>;

bool contains(Endpoints endpoints, const std::shared_ptr<Endpoint>& endpoint) {
  return std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end();
}

std::shared_ptr<Endpoint> first_untried(Endpoints endpoints, Endpoints tried, std::size_t start) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const auto& endpoint = endpoints[(start + i) % endpoints.size()];
    if (!contains(tried, endpoint)) return endpoint;
  }
  return nullptr;
}

std::shared_ptr<Endpoint> least_open(Endpoints endpoints, Endpoints tried, std::size_t start) {
  const std::shared_ptr<Endpoint>* best = nullptr;
  std::uint32_t fewest = std::numeric_limits<std::uint32_t>::max();
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const auto& endpoint = endpoints[(start + i) % endpoints.size()];
    const std::uint32_t open = endpoint->open.load(std::memory_order_relaxed);
    if (open >= fewest || contains(tried, endpoint)) continue;
    fewest = open;
    best = &endpoint;
  }
  return best == nullptr ? nullptr : *best;
}

}  // namespace

std::shared_ptr<Endpoint> pick_endpoint(const Cluster& cluster,
                                        discovery::v1::LoadBalance load_balance, Endpoints tried,
                                        std::uint32_t random) {
  const Endpoints endpoints = cluster.usable();
  if (endpoints.empty()) return nullptr;
  if (load_balance == discovery::v1::LOAD_BALANCE_ROUND_ROBIN) {
    const std::uint32_t turn = cluster.turn->next.fetch_add(1, std::memory_order_relaxed);
    return first_untried(endpoints, tried, turn % endpoints.size());
  }
  return least_open(endpoints, tried, random % endpoints.size());
}

}  // namespace holdfast::proxy
