#pragma once

// All problems there are, each counted by the sources that found it, so that a change costs what it
// touches. A source is whatever is compiled alone: an Ingress, a host, a cluster, a set of
// endpoints, the class. Of one object at most kProblemsPerObject are listed, and one more that
// counts the rest. One thread (control); never fails.

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "controller/compile.h"

namespace holdfast::controller {

class ProblemLedger {
  using Counts = std::map<Problem, std::size_t>;

 public:
  /// What one source has found. Kept by the source; replace() it with nothing before it goes.
  class Findings {
   private:
    friend class ProblemLedger;
    std::vector<Counts::iterator> entries_;
  };

  void replace(Findings& findings, std::vector<Problem> found);

  /// Listed problems that came and went, each sorted.
  struct Changes {
    std::vector<Problem> appeared;
    std::vector<Problem> gone;
  };
  /// Since the last call.
  Changes take_changes();

  /// What is listed, sorted, without duplicates. Costs time by the number of problems.
  [[nodiscard]] std::vector<Problem> listed() const;

 private:
  using Subject = std::pair<std::string, kube::ObjectName>;

  void touch(const Problem& problem);
  [[nodiscard]] std::vector<Problem> listed_of(const Subject& subject) const;
  /// Appends what is listed of the object of `first`, and returns where the next one begins.
  Counts::const_iterator list_object(Counts::const_iterator first, std::vector<Problem>& out) const;

  /// Those of one object stand together.
  Counts counts_;
  /// What was listed of each object before the changes.
  std::map<Subject, std::vector<Problem>> before_;
};

}  // namespace holdfast::controller
