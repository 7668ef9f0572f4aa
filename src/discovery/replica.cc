#include "discovery/replica.h"

#include <string>
#include <utility>
#include <vector>

#include "discovery/limits.h"

namespace holdfast::discovery {

namespace {

/// Cut between two characters, since a proto3 string must be UTF-8.
void cut_reason(std::string& reason) {
  if (reason.size() <= kReasonBytesMost) return;
  std::size_t end = kReasonBytesMost;
  while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0U) == 0x80U) --end;
  reason.resize(end);
}

/// Those that a controller may not send, though a sidecar's own flags may make them.
std::vector<model::Refusal> refused_here(const model::Transaction& transaction) {
  std::vector<model::Refusal> refusals;
  for (const auto& resource : transaction.upserts) {
    if (!model::has_unix_socket(*resource)) continue;
    refusals.push_back({model::key_of(*resource), "an endpoint is a Unix socket of this machine"});
  }
  return refusals;
}

v1::Verdict word_verdict(std::uint64_t number, std::vector<model::Refusal> refusals) {
  v1::Verdict verdict;
  verdict.set_transaction(number);
  std::size_t bytes = 0;
  for (model::Refusal& refusal : refusals) {
    v1::Refusal worded;
    *worded.mutable_name() = model::name_of(refusal.key);
    cut_reason(refusal.reason);
    worded.set_reason(std::move(refusal.reason));
    bytes += worded.ByteSizeLong();
    if (bytes > kVerdictBytes && !verdict.refusals().empty()) break;
    *verdict.add_refusals() = std::move(worded);
  }
  return verdict;
}

}  // namespace

v1::Verdict Replica::apply(std::uint64_t number, const model::Transaction& transaction) {
  std::vector<model::Refusal> refusals = refused_here(transaction);
  if (refusals.empty()) refusals = handler_.apply(transaction);
  if (refusals.empty()) {
    for (const auto& resource : transaction.upserts) {
      held_[model::key_of(*resource)] = resource->version();
    }
    for (const auto& key : transaction.removals) held_.erase(key);
  }
  return word_verdict(number, std::move(refusals));
}

}  // namespace holdfast::discovery
