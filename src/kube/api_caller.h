#pragma once

// Single requests to an API server, one at a time: what an election and the writers of status and
// Events need. Control thread only. The caller is owned by whoever wires things together, and
// outlives those who call.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api_server.h"
#include "kube/reflector.h"
#include "kube/source.h"

namespace holdfast::kube {

/// What came of a request. Without a failure, the API server answered 200 or 201.
struct ApiAnswer {
  std::optional<Failure> failure;
  std::string body;

  /// The HTTP status of a failure that the API server told; 0 otherwise.
  [[nodiscard]] int refused_with() const {
    return failure && failure->kind == FailureKind::kStatus ? failure->status.code : 0;
  }
};

class ApiCaller {
 public:
  using Done = std::function<void(ApiAnswer)>;

  virtual ~ApiCaller() = default;
  /// `done` is called later, never from within.
  /// REQUIRES: no other call is under way.
  virtual void call(ApiRequest request, Done done) = 0;
  /// Ends what is under way: its `done` is not called, nor any later one.
  virtual void stop() = 0;
};

/// A connection of its own, made when it is needed.
std::unique_ptr<ApiCaller> make_api_caller(boost::asio::io_context& context,
                                           std::shared_ptr<ApiServer> server);

/// The same of a cluster, with the usual patience.
std::shared_ptr<ApiServer> make_api_server(ClusterConfig config, const base::Clock& clock,
                                           const base::Log& log);

}  // namespace holdfast::kube
