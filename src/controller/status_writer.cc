#include "controller/status_writer.h"

#include <algorithm>
#include <utility>

#include "controller/limits.h"
#include "kube/api_writes.h"

namespace holdfast::controller {

std::vector<kube::PublishedAddress> addresses_of(const kube::Service& service) {
  std::vector<kube::PublishedAddress> result;
  if (service.is_external_name()) return {{.ip = "", .hostname = service.external_name}};
  if (service.type == "LoadBalancer") result = service.published;
  for (const std::string& ip : service.external_ips) result.push_back({.ip = ip, .hostname = ""});
  const bool has_own = service.type != "LoadBalancer" && result.empty();
  const bool is_headless = service.cluster_ip.empty() || service.cluster_ip == "None";
  if (has_own && !is_headless) result.push_back({.ip = service.cluster_ip, .hostname = ""});
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

StatusWriter::StatusWriter(PublishOptions options, std::string manager, std::uint64_t seed,
                           kube::ApiCaller& caller, const base::Clock& clock, const base::Log& log,
                           std::function<void()> changed)
    : options_(std::move(options)),
      manager_(std::move(manager)),
      caller_(caller),
      clock_(clock),
      log_(log),
      changed_(std::move(changed)),
      backoff_(kWriteBackoffFirst, kWriteBackoffMost, seed) {
  if (options_.addresses.empty()) return;
  addresses_ = options_.addresses;
  std::sort(addresses_->begin(), addresses_->end());
}

void StatusWriter::saw(const kube::Object& object) {
  if (const auto* ingress = std::get_if<std::shared_ptr<const kube::Ingress>>(&object)) {
    saw_ingress(**ingress);
  } else if (const auto* service = std::get_if<std::shared_ptr<const kube::Service>>(&object)) {
    saw_service(**service);
  }
}

void StatusWriter::saw_all(const kube::Scope& scope, const std::vector<kube::Object>& objects) {
  if (scope.kind == kube::Kind::kIngress) {
    std::set<kube::ObjectName> there;
    for (const kube::Object& object : objects) there.insert(kube::metadata_of(object).name);
    std::vector<kube::ObjectName> gone;
    for (const auto& [name, entry] : entries_) {
      if (scope.covers(name) && !there.contains(name)) gone.push_back(name);
    }
    for (const kube::ObjectName& name : gone) saw_gone(scope.kind, name);
  }
  for (const kube::Object& object : objects) saw(object);
}

void StatusWriter::saw_gone(kube::Kind kind, const kube::ObjectName& name) {
  if (kind != kube::Kind::kIngress) return;
  pending_.erase(name);
  later_.erase(name);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  // Made again at once, it is served without a word in between.
  Entry& entry = found->second;
  entry = {.published = {}, .served = entry.served, .was_served = false, .foreign = false};
  drop_if_idle(name);
}

void StatusWriter::saw_ingress(const kube::Ingress& ingress) {
  std::vector<kube::PublishedAddress> published = ingress.published;
  std::sort(published.begin(), published.end());
  Entry& entry = entries_[ingress.metadata.name];
  if (entry.published != published) {
    entry.published = std::move(published);
    entry.foreign = false;
  }
  if (wanted_of(entry)) touch(ingress.metadata.name);
  drop_if_idle(ingress.metadata.name);
}

void StatusWriter::saw_service(const kube::Service& service) {
  if (options_.service != service.metadata.name) return;
  publish(addresses_of(service));
}

void StatusWriter::publish(std::vector<kube::PublishedAddress> addresses) {
  // A load balancer that is being made says nothing of the one that was there before.
  if (addresses.empty() || addresses_ == addresses) return;
  addresses_ = std::move(addresses);
  touch_all();
}

void StatusWriter::serve(const kube::ObjectName& ingress, bool served) {
  Entry& entry = entries_[ingress];
  entry.was_served = entry.was_served || entry.served || served;
  entry.served = served;
  touch(ingress);
  drop_if_idle(ingress);
}

void StatusWriter::drop_if_idle(const kube::ObjectName& ingress) {
  const auto found = entries_.find(ingress);
  if (found->second.served || !found->second.published.empty()) return;
  entries_.erase(found);
  pending_.erase(ingress);
}

void StatusWriter::lead(bool leading) {
  if (std::exchange(leading_, leading) == leading) return;
  if (leading) touch_all();
}

void StatusWriter::touch(const kube::ObjectName& ingress) {
  if (leading_) pending_.try_emplace(ingress, 0);
}

void StatusWriter::touch_all() {
  for (const auto& [name, entry] : entries_) touch(name);
}

std::optional<std::vector<kube::PublishedAddress>> StatusWriter::wanted_of(
    const Entry& entry) const {
  if (entry.served) {
    if (!addresses_ || entry.published == *addresses_) return std::nullopt;
    return addresses_;
  }
  const bool may_be_ours = entry.was_served || entry.published == addresses_;
  if (entry.published.empty() || entry.foreign || !may_be_ours) return std::nullopt;
  return std::vector<kube::PublishedAddress>();
}

std::optional<base::Instant> StatusWriter::deadline() const {
  if (!leading_ || under_way_ || (pending_.empty() && later_.empty())) return std::nullopt;
  return next_;
}

void StatusWriter::run_due() {
  if (!leading_) {
    pending_.clear();
    later_.clear();
  }
  if (under_way_ || clock_.now() < next_) return;
  if (pending_.empty()) {
    for (const kube::ObjectName& name : std::exchange(later_, {})) touch(name);
  }
  while (!pending_.empty()) {
    const kube::ObjectName name = pending_.begin()->first;
    const auto entry = entries_.find(name);
    if (entry != entries_.end() && wanted_of(entry->second)) return begin(name);
    pending_.erase(name);
  }
}

void StatusWriter::begin(const kube::ObjectName& ingress) {
  under_way_ = true;
  caller_.call(kube::read_ingress(ingress), [this, ingress](kube::ApiAnswer answer) {
    under_way_ = false;
    read_done(ingress, std::move(answer));
    finish();
  });
}

void StatusWriter::read_done(const kube::ObjectName& ingress, kube::ApiAnswer answer) {
  if (answer.refused_with() == 404) {
    pending_.erase(ingress);
    return;
  }
  if (answer.failure) return failed(ingress, *answer.failure);
  base::StatusOr<kube::IngressWithWriters> read = kube::parse_ingress(answer.body);
  if (!read.ok()) {
    return failed(ingress,
                  {kube::FailureKind::kMalformed, {}, std::string(read.status().message())});
  }
  const auto found = entries_.find(ingress);
  if (!leading_ || found == entries_.end()) return;
  Entry& entry = found->second;
  entry.published = read->ingress.published;
  std::sort(entry.published.begin(), entry.published.end());
  const auto& writers = read->status_writers;
  const bool is_ours = std::find(writers.begin(), writers.end(), manager_) != writers.end();
  entry.foreign = !entry.served && !is_ours;
  std::optional<std::vector<kube::PublishedAddress>> wanted = wanted_of(entry);
  if (!wanted) {
    pending_.erase(ingress);
    return;
  }
  kube::ApiRequest request = kube::patch_ingress_status(read->ingress, *wanted, manager_);
  under_way_ = true;
  caller_.call(std::move(request),
               [this, ingress, written = *std::move(wanted)](kube::ApiAnswer written_answer) {
                 under_way_ = false;
                 write_done(ingress, written, std::move(written_answer));
                 finish();
               });
}

void StatusWriter::write_done(const kube::ObjectName& ingress,
                              std::vector<kube::PublishedAddress> written, kube::ApiAnswer answer) {
  if (answer.refused_with() == 404) {
    pending_.erase(ingress);
    return;
  }
  if (answer.refused_with() == 409) {
    conflicts_.fetch_add(1, std::memory_order_relaxed);
    const auto place = pending_.find(ingress);
    if (place == pending_.end()) return;
    if (++place->second >= kConflictTries) return failed(ingress, *answer.failure);
    next_ = clock_.now() + kConflictWait;
    return;
  }
  if (answer.failure) return failed(ingress, *answer.failure);
  written_.fetch_add(1, std::memory_order_relaxed);
  backoff_.reset();
  pending_.erase(ingress);
  const auto found = entries_.find(ingress);
  if (found == entries_.end()) return;
  found->second.published = std::move(written);
  drop_if_idle(ingress);
}

void StatusWriter::failed(const kube::ObjectName& ingress, const kube::Failure& failure) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  log_.warn("the status of an Ingress was not written, trying again",
            {{"namespace", ingress.namespace_name},
             {"name", ingress.name},
             {"reason", std::string_view(failure.detail)}});
  pending_.erase(ingress);
  later_.insert(ingress);
  next_ = clock_.now() + backoff_.next();
}

void StatusWriter::finish() {
  run_due();
  changed_();
}

void StatusWriter::collect(std::vector<base::MetricFamily>& out) const {
  base::MetricFamily family{"holdfast_ingress_status_writes_total",
                            "Writes of the status of an Ingress, by what came of them.",
                            base::MetricType::kCounter};
  const auto add = [&](const char* result, const std::atomic<std::uint64_t>& count) {
    family.samples.push_back({.labels = {{"result", result}},
                              .value = static_cast<double>(count.load(std::memory_order_relaxed))});
  };
  add("written", written_);
  add("conflict", conflicts_);
  add("failed", failures_);
  out.push_back(std::move(family));
}

}  // namespace holdfast::controller
