#pragma once

#include <string>
#include <vector>

#include "controller/compile.h"

namespace holdfast::controller {

/// Gathers the problems of one compilation. Used by one thread; never fails.
class ProblemList {
 public:
  void add(Severity severity, const char* kind, const kube::ObjectName& object, std::string field,
           std::string message) {
    problems_.push_back({kind, object, std::move(field), severity, std::move(message)});
  }

  /// Sorted, without duplicates, at most kProblemsPerObject of one object and one more that counts
  /// the rest. Leaves the list empty.
  std::vector<Problem> take();

 private:
  std::vector<Problem> problems_;
};

}  // namespace holdfast::controller
