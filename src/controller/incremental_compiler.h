#pragma once

// Compiles what a change of the World touches, and nothing else. After any series of changes it
// holds what compile() makes of the last World, byte for byte; but for Secrets, of which the last
// good state stays that this compiler has seen.
//
// What a change costs: each Ingress that changed, or that names a Service that did, is compiled
// alone; then the hosts and clusters that it was or is part of are made again of all their
// Ingresses. Nothing is compared with everything. Only when the class's decision changes is every
// Ingress looked at, and when the defaults do, each of ours compiled. Beyond what is touched, a
// change costs at most the logarithm of what there is.
//
// One thread (control). Never fails: a bad object becomes a problem and the rest is compiled.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/annotations.h"
#include "controller/change.h"
#include "controller/cluster.h"
#include "controller/compile.h"
#include "controller/held_named_secret.h"
#include "controller/held_secret.h"
#include "controller/ingress_class.h"
#include "controller/named_secret_quota.h"
#include "controller/problem_ledger.h"
#include "controller/virtual_host.h"
#include "model/resource.h"

namespace holdfast::controller {

/// What one change made different.
struct Update {
  /// Only what differs from before, by version.
  model::Transaction transaction;
  ProblemLedger::Changes problems;
  /// Ingresses that are ours now and were not before, or the other way round (false).
  std::vector<std::pair<kube::ObjectName, bool>> served;

  /// How much was compiled for it.
  struct Work {
    std::size_t ingresses = 0;
    std::size_t hosts = 0;
    std::size_t names = 0;
    std::size_t secrets = 0;
    std::size_t clusters = 0;
    std::size_t endpoint_sets = 0;

    auto operator<=>(const Work&) const = default;
  };
  Work work;
};

class IncrementalCompiler {
 public:
  /// Whether the first answer about a Secret that would be followed by its name is still to come:
  /// an Ingress that comes to name it stays what it was until then.
  using IsAwaited = std::function<bool(const kube::ObjectName& secret)>;

  explicit IncrementalCompiler(Options options, IsAwaited is_awaited = nullptr);
  IncrementalCompiler(const IncrementalCompiler&) = delete;
  IncrementalCompiler& operator=(const IncrementalCompiler&) = delete;

  /// REQUIRES: `change` names everything in which `world` differs from the one of the last call;
  /// before the first there was an empty one; and the Secrets that are awaited no longer.
  Update update(const World& world, const Change& change);

  /// Null: there is no such resource.
  [[nodiscard]] model::ResourcePtr find(const model::ResourceKey& key) const;
  /// Sorted by key; sealed and valid (model::validate).
  [[nodiscard]] std::vector<model::ResourcePtr> resources() const;
  /// Secrets that are to be followed by their names, those that are awaited included.
  [[nodiscard]] std::vector<kube::ObjectName> named_secrets() const;
  /// Another number whenever those are others.
  [[nodiscard]] std::uint64_t named_secrets_version() const { return named_secrets_version_; }
  /// Sorted, without duplicates.
  [[nodiscard]] std::vector<Problem> problems() const { return ledger_.listed(); }

 private:
  struct Host {
    Claimants claimants;
    model::ResourcePtr resource;
    ProblemLedger::Findings problems;
  };
  struct Cluster {
    Claimants users;
    /// Those of them that say more of it than its Service (IngressResult::chooses).
    Claimants choosers;
    model::ResourcePtr resource;
    ProblemLedger::Findings problems;
    model::ResourcePtr endpoint_set;
    ProblemLedger::Findings endpoint_problems;
  };
  struct Name {
    Claimants claimants;
    model::ResourcePtr resource;
    ProblemLedger::Findings problems;
  };
  /// What has to be made again, by name.
  struct Touched {
    std::set<kube::ObjectName> secrets;
    std::set<kube::ObjectName> named_secrets;
    /// For which no Ingress waits any more.
    std::set<kube::ObjectName> unawaited;
    std::set<std::string> names;
    std::set<std::string> hosts;
    std::set<std::string> clusters;
    std::set<std::string> endpoint_sets;
  };

  /// Adds to `ingresses` those that are ours now and were not before, or the other way round.
  void classify(const World& world, std::set<kube::ObjectName>& ingresses);
  /// Adds to `ingresses` those that are ours, where what holds for them has changed.
  void lay_defaults(const World& world, std::set<kube::ObjectName>& ingresses);
  /// Adds to `ingresses` those that name a port of `service`, and touches its clusters.
  void touch_service(const kube::ObjectName& service, std::set<kube::ObjectName>& ingresses,
                     Touched& touched) const;
  void touch_endpoints(const kube::ObjectName& service, Touched& touched) const;
  /// What the claimant of that name asks for now; absent: there is none.
  std::optional<IngressResult> result_of(const World& world, const kube::ObjectName& name,
                                         ProblemList& problems) const;
  /// Compiles them, and those that get a Secret which these no longer need.
  void compile_all(const World& world, std::set<kube::ObjectName> ingresses, Touched& touched,
                   Update& update);
  /// A Secret for which there is no room is none, and a problem.
  void bound_secrets(const kube::ObjectName& ingress, IngressResult& result, ProblemList& problems);
  void release_if_unused(const kube::ObjectName& secret);
  void compile_one(const World& world, const kube::ObjectName& name, Touched& touched,
                   Update& update);
  /// Enters a claimant at its hosts and clusters, or takes it from there.
  void enter(const Claimant& claimant, Touched& touched);
  void leave(const Claimant& claimant, Touched& touched);
  void make_secret(const World& world, const kube::ObjectName& name, Touched& touched,
                   Update& update);
  void make_named_secret(const World& world, const kube::ObjectName& name, Touched& touched,
                         Update& update);
  void make_name(const std::string& name, Touched& touched, Update& update);
  /// Touches the hosts that a ServerName is for.
  void touch_hosts_of(const std::string& name, Touched& touched) const;
  /// A ServerName, exact or wildcard, is for the host.
  [[nodiscard]] bool has_tls(const std::string& host) const;
  void make_host(const std::string& name, Update& update);
  /// Of a Certificate or a TrustBundle.
  [[nodiscard]] model::ResourcePtr find_secret(const model::ResourceKey& key) const;
  void make_cluster(const World& world, const std::string& name, Update& update);
  void make_endpoint_set(const World& world, const std::string& name, Update& update);

  /// True: a Secret that it names is awaited, and it stays what it was.
  bool waits(const kube::ObjectName& ingress, const IngressResult& result);

  const Options options_;
  const IsAwaited is_awaited_;
  /// Whose problems those of --default-backend and of --default-certificate are. No object's name
  /// has such dashes.
  const kube::ObjectName flag_name_;
  const kube::ObjectName certificate_flag_name_;

  IngressClassFilter classes_;
  ProblemLedger ledger_;
  ProblemLedger::Findings class_problems_;
  std::vector<std::shared_ptr<const kube::ConfigMap>> default_layers_;
  Defaults defaults_ = built_in_defaults();
  ProblemLedger::Findings default_problems_;
  std::map<kube::ObjectName, Claimant> claimants_;
  std::map<std::string, Host> hosts_;
  /// By the wildcard that a ServerName for each would have.
  std::map<std::string, std::set<std::string>> hosts_below_;
  /// ServerNames, by host.
  std::map<std::string, Name> names_;
  std::map<kube::ObjectName, HeldSecret> secrets_;
  std::uint64_t named_secrets_version_ = 0;
  /// Of those that are held or awaited.
  NamedSecretQuota quota_;
  /// By Secret, the Ingresses that wait for it.
  std::map<kube::ObjectName, std::set<kube::ObjectName>> awaited_;
  std::map<kube::ObjectName, HeldNamedSecret> named_secrets_;
  const FindNamedSecret find_named_ = [this](const kube::ObjectName& name) {
    const auto found = named_secrets_.find(name);
    return found == named_secrets_.end() ? nullptr : &found->second;
  };
  /// By name, so that those of one Service stand together.
  std::map<std::string, Cluster> clusters_;
};

}  // namespace holdfast::controller
