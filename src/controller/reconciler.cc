#include "controller/reconciler.h"

#include <algorithm>

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
                       const base::Log& log, Publish publish)
    : clock_(clock),
      log_(log),
      publish_(std::move(publish)),
      awaited_(std::move(awaited)),
      compiler_(std::move(options)) {}

void Reconciler::replace(const kube::Scope& scope, std::vector<kube::Object> objects) {
  Change change = world_.replace(scope, objects);
  // The list that was waited for is a change even when it is empty: now there is something to say.
  if (awaited_.erase(scope) > 0) change.listed = true;
  note(std::move(change));
}

void Reconciler::upsert(kube::Object object) { note(world_.upsert(object)); }

void Reconciler::remove(kube::Kind kind, const kube::ObjectName& name) {
  note(world_.remove(kind, name));
  report_unreadable(kube::to_string(kind), name, "");
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
    log_gone(known->second);
    unreadable_.erase(known);
  }
  if (!problem) return;
  log_appeared(*problem);
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
  for (const Problem& problem : problems) log_appeared(problem);
  refusals_.emplace(refusal.key, std::move(problems));
}

void Reconciler::forget_refusal(const model::ResourceKey& key) {
  const auto known = refusals_.find(key);
  if (known == refusals_.end()) return;
  for (const Problem& problem : known->second) log_gone(problem);
  refusals_.erase(known);
}

std::optional<base::Instant> Reconciler::deadline() const {
  if (!first_change_) return std::nullopt;
  return std::min(last_change_ + kDebounceDelay, *first_change_ + kDebounceMaximum);
}

void Reconciler::run_due() {
  const auto due = deadline();
  if (!due || clock_.now() < *due) return;
  Update update = compiler_.update(world_.world(), std::exchange(change_, {}));
  first_change_.reset();
  for (const Problem& problem : update.problems.gone) log_gone(problem);
  for (const Problem& problem : update.problems.appeared) log_appeared(problem);
  for (const auto& resource : update.transaction.upserts) forget_refusal(model::key_of(*resource));
  for (const auto& key : update.transaction.removals) forget_refusal(key);
  if (published_ && is_empty(update.transaction)) return;
  published_ = true;
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

void Reconciler::log_appeared(const Problem& problem) const {
  log_.warn("problem", {{"kind", problem.kind},
                        {"namespace", problem.object.namespace_name},
                        {"name", problem.object.name},
                        {"field", problem.field},
                        {"severity", to_string(problem.severity)},
                        {"problem", problem.message}});
}

void Reconciler::log_gone(const Problem& problem) const {
  log_.info("problem gone", {{"kind", problem.kind},
                             {"namespace", problem.object.namespace_name},
                             {"name", problem.object.name},
                             {"field", problem.field},
                             {"problem", problem.message}});
}

}  // namespace holdfast::controller
