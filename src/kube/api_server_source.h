#pragma once

// make_api_server_source() with the patience of a test. See source.h.

#include <memory>

#include "kube/api_server.h"
#include "kube/source.h"

namespace holdfast::kube {

std::unique_ptr<Source> make_api_server_source(boost::asio::io_context& context,
                                               ClusterConfig config, ApiServerOptions options,
                                               const ClusterView& view, ObjectSink& sink,
                                               const base::Clock& clock, const base::Log& log);

}  // namespace holdfast::kube
