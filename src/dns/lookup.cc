#include "dns/lookup.h"

#include <algorithm>

#include "dns/limits.h"
#include "dns/refusals.h"

namespace holdfast::dns {

Lookup::Lookup(std::uint64_t seed) : backoff_(kRetryFirst, kRetryMost, seed) {}

base::Duration Lookup::take(const Answer& answer, base::Instant now) {
  const State before = state_;
  reason_ = answer.reason;
  denied_ = answer.kind == Answer::Kind::kNoSuchName;
  if (answer.kind == Answer::Kind::kAddresses) {
    state_ = State::kAnswered;
    take_addresses(answer.addresses);
    backoff_.reset();
    return std::clamp<base::Duration>(answer.ttl, kTtlLeast, kTtlMost);
  }
  if (answer.kind == Answer::Kind::kFailed) {
    state_ = State::kFailing;
    return backoff_.next();
  }
  state_ = State::kNothing;
  if (before != State::kNothing) nothing_since_ = now;
  if (now - nothing_since_ >= kGonePatience) take_addresses({});
  return backoff_.next();
}

void Lookup::take_addresses(std::vector<base::IpAddress> addresses) {
  addresses_.clear();
  refused_.clear();
  // Servers turn their answers from one to the next.
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  for (const base::IpAddress& address : addresses) {
    const std::string_view refusal = refusal_of(address);
    if (refusal.empty()) {
      addresses_.push_back(address);
    } else {
      refused_.emplace_back(address, refusal);
    }
  }
  cut_ = addresses_.size() > kAddressesMost;
  if (cut_) addresses_.resize(kAddressesMost);
}

}  // namespace holdfast::dns
