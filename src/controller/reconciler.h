#pragma once

// Turns a stream of object changes into a stream of transactions: debounced, with an upper bound on
// the delay, nothing before the first full list of every kind. An endpoint change travels alone.
//
// One thread (control). Does no I/O and owns no timer: the caller asks deadline() and calls
// run_due().

#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "controller/compile.h"
#include "controller/limits.h"
#include "kube/objects.h"
#include "model/resource.h"

namespace holdfast::controller {

class Reconciler final : public kube::ObjectSink {
 public:
  /// Takes what changed; called at most once for each run_due(). The first call carries everything,
  /// and may be empty.
  using Publish = std::function<void(model::Transaction)>;

  /// `awaited`: the kinds whose first full list must be in before anything is published.
  Reconciler(Options options, std::set<kube::Kind> awaited, const base::Clock& clock,
             const base::Log& log, Publish publish);

  void replace(kube::Kind kind, std::vector<kube::Object> objects) override;
  void upsert(kube::Object object) override;
  void remove(kube::Kind kind, const kube::ObjectName& name) override;
  void report_unreadable(kube::Kind kind, const kube::ObjectName& name,
                         const std::string& reason) override;

  /// A data plane refused this resource: becomes a problem on the resource's origin until the
  /// resource changes.
  void report_refusal(const model::Refusal& refusal);

  /// When run_due() wants to be called next; absent while there is nothing to do.
  [[nodiscard]] std::optional<base::Instant> deadline() const;
  /// Compiles and publishes what is due at the clock's now.
  void run_due();

  [[nodiscard]] const Compiled& compiled() const { return compiled_; }
  /// Compile problems, unreadable objects and refusals, sorted.
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  Compiled compiled_;
};

}  // namespace holdfast::controller
