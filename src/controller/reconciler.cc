#include "controller/reconciler.h"

#include <algorithm>
#include <utility>

#include "controller/defaults.h"
#include "controller/problem_list.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

bool is_empty(const model::Transaction& transaction) {
  return transaction.upserts.empty() && transaction.removals.empty();
}

/// The objects that someone must mend for `resource` to be accepted.
std::set<std::pair<std::string, kube::ObjectName>> origins_of(const v1::Resource& resource) {
  std::set<std::pair<std::string, kube::ObjectName>> origins;
  const auto add = [&](const v1::Origin& origin) {
    origins.emplace(origin.kind(), kube::ObjectName{origin.namespace_(), origin.name()});
  };
  for (const v1::Route& route : resource.virtual_host().routes()) add(route.origin());
  if (resource.has_cluster()) add(resource.cluster().origin());
  if (resource.has_server_name()) add(resource.server_name().origin());
  if (resource.has_certificate()) add(resource.certificate().origin());
  if (resource.has_trust_bundle()) add(resource.trust_bundle().origin());
  if (resource.has_endpoint_set()) {
    if (const auto cluster = model::parse_cluster_name(resource.name())) {
      origins.emplace("Service", kube::ObjectName{cluster->service_namespace, cluster->service});
    }
  }
  return origins;
}

const char* to_string(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

}  // namespace

Reconciler::Reconciler(Options options, std::set<kube::Scope> awaited, const base::Clock& clock,
                       const base::Log& log, Publish publish, ReconcilerObserver* observer)
    : clock_(clock),
      log_(log),
      publish_(std::move(publish)),
      observer_(observer),
      options_(options),
      awaited_(std::move(awaited)),
      compiler_(std::move(options), [this](const kube::ObjectName& secret) {
        return wanted_.would_wait(kube::Scope(kube::Kind::kNamedSecret, secret));
      }) {
  update_wanted();
}

void Reconciler::replace(const kube::Scope& scope, std::vector<kube::Object> objects) {
  if (scope.kind == kube::Kind::kIngressClass) hold_back(objects);
  Change change = world_.replace(scope, objects);
  // The list that was waited for is a change even when it is empty: now there is something to say.
  if (awaited_.erase(scope) > 0) {
    change.listed = true;
    if (awaited_.empty()) wanted_.wait_until(clock_.now() + kWantedPatience);
  }
  // That there is none is an answer too.
  const bool is_one_secret = scope.kind == kube::Kind::kNamedSecret && scope.is_single();
  if (is_one_secret) change.named_secrets.insert({scope.namespace_name, scope.name});
  note(std::move(change));
  const bool waited = wanted_.waits();
  if (scope.kind == kube::Kind::kConfigMap || scope.kind == kube::Kind::kNamedSecret) {
    wanted_.answered(scope);
    if (held_class_ != nullptr && !wanted_.would_wait(*named_by(*held_class_))) release();
  }
  update_wanted();
  if (waited) publish_if_all_are_in();
}

void Reconciler::publish_if_all_are_in() {
  if (published_ || !awaited_.empty() || wanted_.waits()) return;
  Change change;
  change.listed = true;
  note(std::move(change));
}

void Reconciler::upsert(kube::Object object) {
  const bool ours = is_our_class(kube::kind_of(object), kube::metadata_of(object).name);
  if (!ours || !hold_back(object)) note(world_.upsert(object));
  if (ours) update_wanted();
}

void Reconciler::remove(kube::Kind kind, const kube::ObjectName& name) {
  const bool ours = is_our_class(kind, name);
  if (ours) held_class_.reset();
  note(world_.remove(kind, name));
  report_unreadable(kube::to_string(kind), name, "");
  if (ours) update_wanted();
}

bool Reconciler::is_our_class(kube::Kind kind, const kube::ObjectName& name) const {
  return kind == kube::Kind::kIngressClass && name.name == options_.ingress_class;
}

std::optional<kube::Scope> Reconciler::named_by(const kube::IngressClass& ingress_class) const {
  ProblemList told_elsewhere;
  const auto name = config_map_of(ingress_class, options_, told_elsewhere);
  if (!name) return std::nullopt;
  return kube::Scope(kube::Kind::kConfigMap, *name);
}

bool Reconciler::hold_back(const kube::Object& our_class) {
  held_class_.reset();
  const auto& fresh = std::get<std::shared_ptr<const kube::IngressClass>>(our_class);
  const std::optional<kube::Scope> named = named_by(*fresh);
  if (!named || !wanted_.would_wait(*named)) return false;
  held_class_ = fresh;
  return true;
}

void Reconciler::hold_back(std::vector<kube::Object>& classes) {
  held_class_.reset();
  const auto ours =
      std::find_if(classes.begin(), classes.end(), [this](const kube::Object& object) {
        return is_our_class(kube::kind_of(object), kube::metadata_of(object).name);
      });
  if (ours == classes.end() || !hold_back(*ours)) return;
  const auto before = world_.world().classes.find(options_.ingress_class);
  if (before == world_.world().classes.end()) {
    classes.erase(ours);
  } else {
    *ours = before->second;
  }
}

void Reconciler::release() { note(world_.upsert(std::exchange(held_class_, nullptr))); }

void Reconciler::update_wanted() {
  std::set<kube::Scope> objects;
  if (options_.defaults_config_map) {
    objects.emplace(kube::Kind::kConfigMap, *options_.defaults_config_map);
  }
  const auto add = [&](const kube::IngressClass& ingress_class) {
    if (const auto named = named_by(ingress_class)) objects.insert(*named);
  };
  const auto& classes = world_.world().classes;
  if (const auto ours = classes.find(options_.ingress_class); ours != classes.end()) {
    add(*ours->second);
  }
  if (held_class_ != nullptr) add(*held_class_);
  const std::uint64_t secrets_version = compiler_.named_secrets_version();
  if (objects == wanted_config_maps_ && secrets_version == wanted_secrets_version_) return;
  wanted_config_maps_ = objects;
  wanted_secrets_version_ = secrets_version;
  for (const kube::ObjectName& secret : compiler_.named_secrets()) {
    objects.emplace(kube::Kind::kNamedSecret, secret);
  }
  if (objects == wanted_.wanted()) return;
  ++wanted_version_;
  for (const kube::Scope& gone : wanted_.want(std::move(objects), clock_.now() + kWantedPatience)) {
    const kube::ObjectName name{gone.namespace_name, gone.name};
    note(world_.remove(gone.kind, name));
    report_unreadable(kube::to_string(gone.kind), name, "");
  }
}

void Reconciler::give_up_waiting() {
  // Before the lists are in, nobody says whether the API server answers at all.
  if (!awaited_.empty()) return;
  const bool waited = wanted_.waits();
  for (const kube::Scope& object : wanted_.give_up(clock_.now())) {
    log_.warn("no answer about an object that is wanted, going on without it",
              {{"kind", kube::to_string(object.kind)},
               {"namespace", std::string_view(object.namespace_name)},
               {"name", std::string_view(object.name)}});
    if (held_class_ != nullptr && named_by(*held_class_) == object) release();
    if (object.kind != kube::Kind::kNamedSecret) continue;
    Change change;
    change.named_secrets.insert({object.namespace_name, object.name});
    note(std::move(change));
  }
  update_wanted();
  if (waited) publish_if_all_are_in();
}

void Reconciler::note(Change change) {
  if (change.empty()) return;
  change_.merge(std::move(change));
  // Until the lists are in, the wait has not begun.
  if (!awaited_.empty()) return;
  last_change_ = clock_.now();
  if (!first_change_) first_change_ = last_change_;
}

void Reconciler::report_unreadable(const std::string& kind, const kube::ObjectName& name,
                                   const std::string& reason) {
  std::optional<Problem> problem;
  if (!reason.empty()) {
    problem = {kind, name, "", Severity::kError,
               "it cannot be read (" + reason + "); its last good state, if any, stays in force"};
  }
  const auto known = unreadable_.find({kind, name});
  if (known != unreadable_.end()) {
    if (problem == known->second) return;
    tell_gone(known->second);
    unreadable_.erase(known);
  }
  if (!problem) return;
  tell_appeared(*problem);
  unreadable_.emplace(std::pair(kind, name), *std::move(problem));
}

void Reconciler::report_refusal(const model::Refusal& refusal) {
  const model::ResourcePtr held = compiler_.find(refusal.key);
  if (held == nullptr) return;
  std::vector<Problem> problems;
  for (const auto& [kind, object] : origins_of(*held)) {
    problems.push_back({kind, object, "", Severity::kError,
                        "a proxy refused " + model::to_string(refusal.key) + " (" + refusal.reason +
                            "); it keeps what it had of it before"});
  }
  // Every proxy says the same.
  if (const auto known = refusals_.find(refusal.key);
      known != refusals_.end() && known->second == problems) {
    return;
  }
  forget_refusal(refusal.key);
  for (const Problem& problem : problems) tell_appeared(problem);
  refusals_.emplace(refusal.key, std::move(problems));
}

void Reconciler::forget_refusal(const model::ResourceKey& key) {
  const auto known = refusals_.find(key);
  if (known == refusals_.end()) return;
  for (const Problem& problem : known->second) tell_gone(problem);
  refusals_.erase(known);
}

std::optional<base::Instant> Reconciler::deadline() const {
  if (!awaited_.empty()) return std::nullopt;
  const std::optional<base::Instant> patience = wanted_.deadline();
  const bool incomplete = !published_ && patience;
  if (!first_change_ || incomplete) return patience;
  const base::Instant due =
      std::min(last_change_ + kDebounceDelay, *first_change_ + kDebounceMaximum);
  return std::min(due, patience.value_or(due));
}

void Reconciler::run_due() {
  give_up_waiting();
  const auto due = deadline();
  if (!first_change_ || !due || clock_.now() < *due) return;
  Update update = compiler_.update(world_.world(), std::exchange(change_, {}));
  first_change_.reset();
  if (observer_ != nullptr) {
    for (const auto& [ingress, served] : update.served) observer_->ingress_served(ingress, served);
  }
  // Which Secrets are named is known only now.
  update_wanted();
  if (!published_) {
    if (wanted_.waits()) return;
    update.transaction = {compiler_.resources(), {}};
    update.problems = {.appeared = compiler_.problems(), .gone = {}};
  }
  for (const Problem& problem : update.problems.gone) tell_gone(problem);
  for (const Problem& problem : update.problems.appeared) tell_appeared(problem);
  for (const auto& resource : update.transaction.upserts) forget_refusal(model::key_of(*resource));
  for (const auto& key : update.transaction.removals) forget_refusal(key);
  if (std::exchange(published_, true) && is_empty(update.transaction)) return;
  publish_(std::move(update.transaction));
}

std::vector<Problem> Reconciler::problems() const {
  std::vector<Problem> all = compiler_.problems();
  for (const auto& [object, problem] : unreadable_) all.push_back(problem);
  for (const auto& [key, problems] : refusals_) {
    all.insert(all.end(), problems.begin(), problems.end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void Reconciler::tell_appeared(const Problem& problem) const {
  log_.warn("problem", {{"kind", problem.kind},
                        {"namespace", problem.object.namespace_name},
                        {"name", problem.object.name},
                        {"field", problem.field},
                        {"severity", to_string(problem.severity)},
                        {"problem", problem.message}});
  if (observer_ != nullptr) observer_->problem_appeared(problem);
}

void Reconciler::tell_gone(const Problem& problem) const {
  log_.info("problem gone", {{"kind", problem.kind},
                             {"namespace", problem.object.namespace_name},
                             {"name", problem.object.name},
                             {"field", problem.field},
                             {"problem", problem.message}});
  if (observer_ != nullptr) observer_->problem_gone(problem);
}

}  // namespace holdfast::controller
