#pragma once

// Turns a stream of object changes into a stream of transactions: debounced, with an upper bound on
// the delay, nothing before the first full list of every scope. An endpoint change travels alone.
//
// Objects that others name (the ConfigMap of our class, the one of --defaults-configmap, Secrets
// that Ingresses name) are wanted singly. Until the answer about one is in, or kWantedPatience is
// over, nothing is published for the first time, and a class that has come to name it counts as it
// was before.
//
// One thread (control). Does no I/O and owns no timer: the caller asks deadline() and calls
// run_due(). Never fails: what is wrong with an object is a problem on that object. A problem is
// logged once when it appears (warn) and once when it is gone (info).

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "controller/change.h"
#include "controller/compile.h"
#include "controller/incremental_compiler.h"
#include "controller/limits.h"
#include "controller/wanted_objects.h"
#include "controller/world_builder.h"
#include "kube/objects.h"
#include "model/resource.h"

namespace holdfast::controller {

/// Who is told what came of the objects, on the control thread, from within the Reconciler's calls.
class ReconcilerObserver {
 public:
  virtual ~ReconcilerObserver() = default;
  virtual void problem_appeared(const Problem& problem) = 0;
  virtual void problem_gone(const Problem& problem) = 0;
  /// An Ingress is served from now on, or no longer: it is gone, or not of our class.
  virtual void ingress_served(const kube::ObjectName& ingress, bool served) = 0;
};

class Reconciler final : public kube::ObjectSink {
 public:
  /// Takes what changed; called at most once for each run_due(). The first call carries everything,
  /// and may be empty.
  using Publish = std::function<void(model::Transaction)>;

  /// `awaited`: the scopes whose first full list must be in before anything is published.
  /// `observer` may be null, and outlives this.
  Reconciler(Options options, std::set<kube::Scope> awaited, const base::Clock& clock,
             const base::Log& log, Publish publish, ReconcilerObserver* observer = nullptr);

  void replace(const kube::Scope& scope, std::vector<kube::Object> objects) override;
  void upsert(kube::Object object) override;
  void remove(kube::Kind kind, const kube::ObjectName& name) override;
  void report_unreadable(const std::string& kind, const kube::ObjectName& name,
                         const std::string& reason) override;

  /// A data plane refused this resource: becomes a problem on the resource's origin until the
  /// resource changes. Of a resource that is no longer served it says nothing.
  void report_refusal(const model::Refusal& refusal);

  /// What the source is to follow beside the awaited scopes; to be looked at after every call.
  [[nodiscard]] const std::set<kube::Scope>& wanted() const { return wanted_.wanted(); }
  /// Another number whenever that is another set: it may be large, and seldom changes.
  [[nodiscard]] std::uint64_t wanted_version() const { return wanted_version_; }

  /// When run_due() wants to be called next; absent while there is nothing to do.
  [[nodiscard]] std::optional<base::Instant> deadline() const;
  /// Compiles and publishes what is due at the clock's now.
  void run_due();

  /// What was published last, sorted by key.
  [[nodiscard]] std::vector<model::ResourcePtr> resources() const { return compiler_.resources(); }
  /// Compile problems, unreadable objects and refusals, sorted.
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  void note(Change change);
  [[nodiscard]] bool is_our_class(kube::Kind kind, const kube::ObjectName& name) const;
  /// What our class names.
  [[nodiscard]] std::optional<kube::Scope> named_by(const kube::IngressClass& ingress_class) const;
  /// Keeps our class back where it names what has to be waited for; false: it is in force.
  bool hold_back(const kube::Object& our_class);
  /// The same in a full list: there, our class stands as it was before.
  void hold_back(std::vector<kube::Object>& classes);
  void release();
  void update_wanted();
  void give_up_waiting();
  /// What is held back at the start for an answer that has come.
  void publish_if_all_are_in();
  void forget_refusal(const model::ResourceKey& key);
  /// Log, and tell the observer.
  void tell_appeared(const Problem& problem) const;
  void tell_gone(const Problem& problem) const;

  // Fixed after construction.
  const base::Clock& clock_;
  const base::Log& log_;
  const Publish publish_;
  ReconcilerObserver* const observer_;
  const Options options_;

  WorldBuilder world_;
  std::set<kube::Scope> awaited_;
  WantedObjects wanted_;
  std::uint64_t wanted_version_ = 0;
  // What wanted_ was made of.
  std::set<kube::Scope> wanted_config_maps_;
  std::uint64_t wanted_secrets_version_ = 0;
  /// Our class as it is now, while the World has it as it was.
  std::shared_ptr<const kube::IngressClass> held_class_;

  // What has changed since the last run.
  Change change_;
  std::optional<base::Instant> first_change_;
  base::Instant last_change_;

  bool published_ = false;
  IncrementalCompiler compiler_;
  std::map<std::pair<std::string, kube::ObjectName>, Problem> unreadable_;
  std::map<model::ResourceKey, std::vector<Problem>> refusals_;
};

}  // namespace holdfast::controller
