#include "dns/external_names.h"

#include <algorithm>

#include "dns/limits.h"
#include "dns/refusals.h"

namespace holdfast::dns {
namespace {

constexpr std::array<Family, 2> kFamilies{Family::kIpv4, Family::kIpv6};

std::size_t index(Family family) { return static_cast<std::size_t>(family); }

const char* address_type(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

}  // namespace

ExternalNames::ExternalNames(kube::ObjectSink& sink, Client& client, const base::Clock& clock,
                             std::uint64_t seed, Changed changed)
    : sink_(sink), client_(client), clock_(clock), changed_(std::move(changed)), next_seed_(seed) {}

void ExternalNames::replace(const kube::Scope& scope, std::vector<kube::Object> objects) {
  if (scope.kind == kube::Kind::kEndpointSlice) {
    for (const auto& [key, service] : services_) {
      for (const Slice& slice : service.slices) {
        if (slice != nullptr && scope.covers(key)) objects.emplace_back(slice);
      }
    }
  }
  if (scope.kind != kube::Kind::kService) {
    sink_.replace(scope, std::move(objects));
    return;
  }
  forget_missing(scope, objects);
  for (const kube::Object& object : objects) {
    follow(*std::get<std::shared_ptr<const kube::Service>>(object));
  }
  if (listed_.insert(scope).second && !held_until_ && !all_settled()) {
    held_until_ = clock_.now() + kFirstAnswersPatience;
  }
  pass([this, scope, objects = std::move(objects)]() mutable {
    sink_.replace(scope, std::move(objects));
  });
  release_when_settled();
  changed_();
}

void ExternalNames::upsert(kube::Object object) {
  const auto* service = std::get_if<std::shared_ptr<const kube::Service>>(&object);
  if (service == nullptr) {
    sink_.upsert(std::move(object));
    return;
  }
  follow(**service);
  pass([this, object] { sink_.upsert(object); });
  changed_();
}

void ExternalNames::remove(kube::Kind kind, const kube::ObjectName& name) {
  if (kind != kube::Kind::kService) {
    sink_.remove(kind, name);
    return;
  }
  pass([this, kind, name] { sink_.remove(kind, name); });
  forget(name);
  release_when_settled();
  changed_();
}

void ExternalNames::report_unreadable(const std::string& kind, const kube::ObjectName& name,
                                      const std::string& reason) {
  sink_.report_unreadable(kind, name, reason);
}

std::optional<base::Instant> ExternalNames::deadline() const {
  std::optional<base::Instant> next = held_until_;
  if (due_.empty() || under_way_ >= kQuestionsMost) return next;
  const base::Instant due = due_.begin()->first;
  return next ? std::min(*next, due) : due;
}

void ExternalNames::run_due() {
  const base::Instant now = clock_.now();
  while (under_way_ < kQuestionsMost && !due_.empty() && due_.begin()->first <= now) {
    const Question question = due_.begin()->second;
    due_.erase(due_.begin());
    ask(question);
  }
  release_when_settled();
  changed_();
}

ExternalNameCounts ExternalNames::counts() const {
  ExternalNameCounts counts = counts_;
  counts.names = names_.size();
  counts.failing_names =
      static_cast<std::size_t>(std::count_if(names_.begin(), names_.end(), [](const auto& entry) {
        return entry.second.resolved.failing();
      }));
  return counts;
}

void ExternalNames::follow(const kube::Service& service) {
  const kube::ObjectName& key = service.metadata.name;
  if (!service.is_external_name()) {
    forget(key);
    return;
  }
  const auto [place, fresh] = services_.try_emplace(key);
  Service& known = place->second;
  if (!fresh && known.external_name == service.external_name) return;
  if (!fresh) detach(key, known);
  known.external_name = service.external_name;
  attach(key, known);
  tell(key, known);
}

void ExternalNames::forget(const kube::ObjectName& key) {
  const auto known = services_.find(key);
  if (known == services_.end()) return;
  detach(key, known->second);
  for (const Slice& slice : known->second.slices) {
    if (slice != nullptr) sink_.remove(kube::Kind::kEndpointSlice, slice->metadata.name);
  }
  services_.erase(known);
}

void ExternalNames::forget_missing(const kube::Scope& scope,
                                   const std::vector<kube::Object>& objects) {
  std::set<kube::ObjectName> listed;
  for (const kube::Object& object : objects) listed.insert(kube::metadata_of(object).name);
  std::vector<kube::ObjectName> missing;
  for (const auto& [key, service] : services_) {
    if (scope.covers(key) && !listed.contains(key)) missing.push_back(key);
  }
  for (const kube::ObjectName& key : missing) forget(key);
}

void ExternalNames::attach(const kube::ObjectName& key, Service& service) {
  const base::StatusOr<std::string> canonical = canonical_name(service.external_name);
  service.complaint.clear();
  if (!canonical.ok()) {
    service.complaint =
        std::string(canonical.status().message()) + "; requests are answered with 503";
    return;
  }
  service.name = name_called(*canonical);
  if (service.name != nullptr) {
    service.name->services.insert(key);
    return;
  }
  turned_away_.insert(key);
  service.complaint = "there are more than " + std::to_string(kNamesMost) +
                      " names of Services to resolve, and this one is left out; requests are "
                      "answered with 503";
}

void ExternalNames::detach(const kube::ObjectName& key, Service& service) {
  turned_away_.erase(key);
  Name* name = std::exchange(service.name, nullptr);
  if (name == nullptr) return;
  name->services.erase(key);
  if (!name->services.empty()) return;
  const auto place = std::find_if(names_.begin(), names_.end(),
                                  [&](const auto& entry) { return &entry.second == name; });
  std::erase_if(due_, [&](const auto& entry) { return entry.second.name == place->first; });
  names_.erase(place);
  if (turned_away_.empty()) return;
  const kube::ObjectName next = *turned_away_.begin();
  turned_away_.erase(turned_away_.begin());
  Service& waiting = services_.at(next);
  attach(next, waiting);
  tell(next, waiting);
}

ExternalNames::Name* ExternalNames::name_called(const std::string& canonical) {
  if (const auto known = names_.find(canonical); known != names_.end()) return &known->second;
  if (names_.size() >= kNamesMost) return nullptr;
  // Two lookups each.
  next_seed_ += kFamilies.size();
  Name& name = names_.try_emplace(canonical, canonical, next_seed_).first->second;
  if (!name.resolved.is_address()) {
    for (const Family family : kFamilies) due_.insert({clock_.now(), {canonical, family}});
  }
  return &name;
}

void ExternalNames::ask(const Question& question) {
  ++under_way_;
  names_.at(question.name).asked[index(question.family)] = true;
  client_.ask(question, [this, question](const Answer& answer) {
    --under_way_;
    take(question, answer);
    release_when_settled();
    changed_();
  });
}

void ExternalNames::take(const Question& question, const Answer& answer) {
  const bool failed = answer.kind == Answer::Kind::kFailed;
  const bool positive = answer.kind == Answer::Kind::kAddresses;
  ++(failed ? counts_.failures : positive ? counts_.positive_answers : counts_.negative_answers);
  const auto found = names_.find(question.name);
  // Nobody's any more, or somebody's again who has not asked.
  if (found == names_.end() || !std::exchange(found->second.asked[index(question.family)], false)) {
    return;
  }
  Name& name = found->second;
  const base::Instant now = clock_.now();
  const base::Duration wait = name.resolved.lookup(question.family).take(answer, now);
  due_.insert({now + wait, question});
  for (const kube::ObjectName& key : name.services) tell(key, services_.at(key));
}

void ExternalNames::tell(const kube::ObjectName& key, Service& service) {
  // What is served of a Service stays until something is known of its new name.
  if (service.name != nullptr && !service.name->resolved.settled()) return;
  for (const Family family : kFamilies) {
    std::vector<base::IpAddress> addresses;
    if (service.name != nullptr) addresses = service.name->resolved.lookup(family).addresses();
    // The IPv4 slice speaks for both.
    std::vector<std::string> complaints;
    if (family == Family::kIpv4 && service.name != nullptr) {
      complaints = service.name->resolved.complaints();
    } else if (family == Family::kIpv4) {
      complaints = {service.complaint};
    }
    tell_slice(key, family, addresses, std::move(complaints), service.slices[index(family)]);
  }
}

void ExternalNames::tell_slice(const kube::ObjectName& key, Family family,
                               const std::vector<base::IpAddress>& addresses,
                               std::vector<std::string> complaints, Slice& told) {
  kube::EndpointSlice slice;
  slice.address_type = address_type(family);
  // No object's name has a slash.
  slice.metadata.name = {key.namespace_name, "dns/" + key.name + "/" + slice.address_type};
  slice.service_name = key.name;
  slice.from_dns = true;
  slice.complaints = std::move(complaints);
  for (const base::IpAddress& address : addresses) {
    slice.endpoints.emplace_back().addresses = {base::to_string(address)};
  }
  if (slice.endpoints.empty() && slice.complaints.empty()) {
    if (told != nullptr) sink_.remove(kube::Kind::kEndpointSlice, told->metadata.name);
    told = nullptr;
    return;
  }
  if (told != nullptr && *told == slice) return;
  told = std::make_shared<const kube::EndpointSlice>(std::move(slice));
  sink_.upsert(told);
}

void ExternalNames::pass(std::function<void()> call) {
  if (held_until_) {
    held_.push_back(std::move(call));
  } else {
    call();
  }
}

bool ExternalNames::all_settled() const {
  return std::all_of(names_.begin(), names_.end(),
                     [](const auto& entry) { return entry.second.resolved.settled(); });
}

void ExternalNames::release_when_settled() {
  if (!held_until_ || (clock_.now() < *held_until_ && !all_settled())) return;
  held_until_.reset();
  for (const auto& call : std::exchange(held_, {})) call();
}

}  // namespace holdfast::dns
