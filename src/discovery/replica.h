#pragma once

// What the data plane holds: names and versions of everything applied, over all streams. Hands each
// transaction to the handler, which validates it, and words the Verdict. No transport.
//
// One thread at a time. Owned by the client; the handler outlives it. Never fails.

#include <cstdint>
#include <utility>

#include "discovery/subscription.h"
#include "model/resource.h"

namespace holdfast::discovery {

class Replica {
 public:
  explicit Replica(model::TransactionHandler& handler) : handler_(handler) {}

  /// What is in force before the first transaction.
  void begin_with(Held held) { held_ = std::move(held); }

  /// Applies a transaction whole or not at all. The Verdict has at most kVerdictBytes of refusals,
  /// each reason cut to kReasonBytesMost.
  v1::Verdict apply(std::uint64_t number, const model::Transaction& transaction);

  [[nodiscard]] const Held& held() const { return held_; }

 private:
  model::TransactionHandler& handler_;
  Held held_;
};

}  // namespace holdfast::discovery
