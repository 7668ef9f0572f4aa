#include "discovery/subscription.h"

#include <set>
#include <string>
#include <utility>

namespace holdfast::discovery {

using model::Refusal;
using model::ResourceKey;

Version version_in(const Published& published, const ResourceKey& key) {
  const auto found = published.find(key);
  return found == published.end() ? Version() : Version(found->second->version());
}

namespace {

/// Certificates and TrustBundles that what is published refers to.
std::set<ResourceKey> named_secrets(const Published& published) {
  std::set<ResourceKey> named;
  for (const auto& [key, resource] : published) {
    for (const std::string& name : resource->server_name().certificates()) {
      named.insert({v1::KIND_CERTIFICATE, name});
    }
    const v1::UpstreamTls& tls = resource->cluster().tls();
    named.insert({v1::KIND_CERTIFICATE, tls.certificate()});
    for (const std::string& name :
         {tls.trust_bundle(), resource->server_name().client_certificates().trust_bundle()}) {
      named.insert({v1::KIND_TRUST_BUNDLE, name});
    }
  }
  return named;
}

}  // namespace

Subscription::Subscription(const Held& held, const Published& published,
                           std::size_t transaction_bytes)
    : transaction_bytes_(transaction_bytes) {
  const std::set<ResourceKey> named = named_secrets(published);
  const auto remove = [&](const auto& gone) {
    if (!named.contains(gone.first)) news_.insert(gone);
  };
  // Both are sorted: one walk over the two finds the difference.
  auto has = held.begin();
  for (const auto& [key, resource] : published) {
    for (; has != held.end() && has->first < key; ++has) remove(*has);
    const bool same_key = has != held.end() && has->first == key;
    if (!same_key) {
      news_.emplace(key, Version());
    } else {
      if (has->second != resource->version()) news_.emplace(key, has->second);
      ++has;
    }
  }
  for (; has != held.end(); ++has) remove(*has);
}

void Subscription::changed(const ResourceKey& key, Version before, Version now) {
  if (before == now || under_way_.contains(key)) return;  // The Verdict settles what is under way.
  if (const auto news = news_.find(key); news != news_.end()) {
    if (news->second == now) news_.erase(news);
    return;
  }
  if (const auto refused = refused_.find(key); refused != refused_.end()) {
    if (refused->second.refused == now) return;
    before = refused->second.held;
    refused_.erase(refused);
  }
  if (before != now) news_.emplace(key, before);
}

bool Subscription::has_news() const { return !waiting_ && (!news_.empty() || acknowledged_ == 0); }

Outgoing Subscription::next(const Published& published) {
  Outgoing out;
  out.number = ++number_;
  waiting_ = true;
  std::size_t bytes = 0;
  while (!news_.empty() && bytes < transaction_bytes_) {
    const auto first = news_.begin();
    const auto found = published.find(first->first);
    if (found == published.end()) {
      bytes += first->first.name.size();
      under_way_.emplace(first->first, Sent{first->second, Version()});
      out.transaction.removals.push_back(first->first);
    } else {
      bytes += found->second->ByteSizeLong();
      under_way_.emplace(first->first, Sent{first->second, found->second->version()});
      out.transaction.upserts.push_back(found->second);
    }
    news_.erase(first);
  }
  return out;
}

std::vector<Refusal> Subscription::mark(const v1::Verdict& verdict) {
  std::vector<Refusal> named;
  for (const v1::Refusal& refusal : verdict.refusals()) {
    const ResourceKey key = model::key_of(refusal.name());
    if (const auto sent = under_way_.find(key); sent != under_way_.end()) {
      if (!sent->second.refusal) named.push_back({key, refusal.reason()});
      sent->second.refusal = &refusal;
      continue;
    }
    if (key.kind != v1::KIND_UNSPECIFIED) continue;
    // A client that does not know a body does not know its kind either.
    for (auto& [other, sent] : under_way_) {
      if (other.name != key.name || !sent.sent || sent.refusal) continue;
      sent.refusal = &refusal;
      named.push_back({other, refusal.reason()});
    }
  }
  return named;
}

void Subscription::settle(const ResourceKey& key, const Sent& sent, bool applied, Version now) {
  const Version held = applied ? sent.sent : sent.held;
  if (held == now) return;
  if (sent.refusal && now == sent.sent) {
    refused_.emplace(key, Refused{held, now, sent.refusal->reason()});
  } else {
    news_.emplace(key, held);
  }
}

base::StatusOr<std::vector<Refusal>> Subscription::answer(const v1::Verdict& verdict,
                                                          const Published& published) {
  if (!waiting_ || verdict.transaction() != number_) {
    return absl::InvalidArgumentError("verdict on transaction " +
                                      std::to_string(verdict.transaction()) +
                                      ", which is not under way");
  }
  std::vector<Refusal> named = mark(verdict);
  const bool applied = verdict.refusals().empty();
  if (!applied && named.empty()) {
    return absl::InvalidArgumentError("verdict that refuses nothing of transaction " +
                                      std::to_string(number_));
  }
  for (const auto& [key, sent] : under_way_) {
    settle(key, sent, applied, version_in(published, key));
  }
  under_way_.clear();
  waiting_ = false;
  if (applied) acknowledged_ = number_;
  return named;
}

bool Subscription::current() const { return !waiting_ && news_.empty() && acknowledged_ != 0; }

std::vector<Refusal> Subscription::refusals() const {
  std::vector<Refusal> all;
  all.reserve(refused_.size());
  for (const auto& [key, refused] : refused_) all.push_back({key, refused.reason});
  return all;
}

}  // namespace holdfast::discovery
