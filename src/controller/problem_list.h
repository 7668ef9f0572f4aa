#pragma once

#include <string>
#include <utility>
#include <vector>

#include "controller/compile.h"

namespace holdfast::controller {

/// Whose problem it is: an Ingress's, or that of a flag of ours.
inline constexpr const char* kIngressKind = "Ingress";
inline constexpr const char* kFlagKind = "Flag";

/// Gathers the problems that one source finds (see ProblemLedger), in any order. Used by one
/// thread; never fails.
class ProblemList {
 public:
  void add(Severity severity, const char* kind, const kube::ObjectName& object, std::string field,
           std::string message) {
    problems_.push_back({kind, object, std::move(field), severity, std::move(message)});
  }

  /// Leaves the list empty.
  std::vector<Problem> take() { return std::exchange(problems_, {}); }

 private:
  std::vector<Problem> problems_;
};

}  // namespace holdfast::controller
