#pragma once

// An ApiCaller that has a connection. See api_caller.h.

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api_caller.h"
#include "kube/api_server.h"
#include "kube/source.h"

namespace holdfast::kube {

/// A connection of its own, made when it is needed.
std::unique_ptr<ApiCaller> make_api_caller(boost::asio::io_context& context,
                                           std::shared_ptr<ApiServer> server);

/// What such callers share, of a cluster, with the patience of a single request.
std::shared_ptr<ApiServer> make_api_server(ClusterConfig config, const base::Clock& clock,
                                           const base::Log& log);

}  // namespace holdfast::kube
