#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "holdfast/discovery/v1/discovery.pb.h"
#include "proxy/endpoint.h"

namespace holdfast::proxy {

/// The endpoint for the next connection, or null when every usable one is in `tried`. `random`
/// breaks ties among equals, so that workers and replicas do not move in step. Any thread.
std::shared_ptr<Endpoint> pick_endpoint(const Cluster& cluster,
                                        discovery::v1::LoadBalance load_balance,
                                        std::span<const std::shared_ptr<Endpoint>> tried,
                                        std::uint32_t random);

}  // namespace holdfast::proxy
