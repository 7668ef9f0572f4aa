#pragma once

// Single requests to an API server, one at a time: what an election and the writers of status and
// Events need. Control thread only. The caller is owned by whoever wires things together, and
// outlives those who call.

#include <functional>
#include <optional>
#include <string>

#include "kube/reflector.h"

namespace holdfast::kube {

/// One request to an API server.
struct ApiRequest {
  std::string method = "GET";
  /// Path and query.
  std::string target;
  std::string accept = "application/json";
  /// Of the body; empty: there is none.
  std::string content_type = {};
  std::string body = {};
};

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

}  // namespace holdfast::kube
