#pragma once

// The single objects that other objects name: which are followed, and for whose first answer is
// still waited, so that nothing is compiled without them that was compiled with them a moment
// later. Knows no clock; one thread (control). Never fails.

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "kube/objects.h"

namespace holdfast::controller {

class WantedObjects {
 public:
  /// Wants these (Scope::is_single) and no others; a new one without an answer is waited for until
  /// `patience`. Returns those of before of which nobody will tell any more.
  std::vector<kube::Scope> want(std::set<kube::Scope> objects, base::Instant patience);
  /// What the source is to follow.
  [[nodiscard]] const std::set<kube::Scope>& wanted() const { return wanted_; }

  /// A full list of this scope came, of one object or of many.
  void answered(const kube::Scope& scope);
  [[nodiscard]] bool has_answer(const kube::Scope& object) const;

  /// Some answer is waited for.
  [[nodiscard]] bool waits() const { return !waited_for_.empty(); }
  /// `object` would be waited for, now or if it were wanted.
  [[nodiscard]] bool would_wait(const kube::Scope& object) const;
  /// All that are waited for are, until then.
  void wait_until(base::Instant patience);
  /// When give_up() wants to be called next.
  [[nodiscard]] std::optional<base::Instant> deadline() const;
  /// Waits no longer for those whose time is over, and returns them.
  std::vector<kube::Scope> give_up(base::Instant now);

 private:
  std::set<kube::Scope> wanted_;
  /// A part of wanted_.
  std::map<kube::Scope, base::Instant> waited_for_;
  std::set<kube::Scope> answered_;
};

}  // namespace holdfast::controller
