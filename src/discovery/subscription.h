#pragma once

// What one client should be sent: the decisions of the server's end of a stream, without a
// transport.
//
// Holds only where the client differs from what is published (news, what is under way, what was
// refused), never a copy of the whole: its size is bounded by the resources published and held.
//
// One thread at a time (the server's mutex). Owned by the stream. Errors mean that the client broke
// the contract; its stream must end.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/status.h"
#include "discovery/limits.h"
#include "model/resource.h"

namespace holdfast::discovery {

/// The published state, each resource once, shared by every client.
using Published = std::map<model::ResourceKey, model::ResourcePtr>;
/// What a client says it serves.
using Held = std::map<model::ResourceKey, std::uint64_t>;
/// The version of something that may be absent.
using Version = std::optional<std::uint64_t>;

Version version_in(const Published& published, const model::ResourceKey& key);

/// The next transaction of a stream.
struct Outgoing {
  /// Counts from 1.
  std::uint64_t number = 0;
  /// Sorted by key. Empty when there is nothing but the news that the client is current.
  model::Transaction transaction;
};

class Subscription {
 public:
  /// `held` is what the client's Hello said; a transaction ends with the resource that takes it to
  /// `transaction_bytes`. REQUIRES: `published` is complete.
  Subscription(const Held& held, const Published& published,
               std::size_t transaction_bytes = kTransactionBytes);

  /// The published version of `key` went from `before` to `now`.
  void changed(const model::ResourceKey& key, Version before, Version now);

  /// Whether a transaction should begin: there is news, or the client does not know yet that it is
  /// current, and none is under way.
  [[nodiscard]] bool has_news() const;
  /// Begins the next transaction. REQUIRES: has_news().
  Outgoing next(const Published& published);

  /// The client's answer to the transaction under way. Returns the refusals that name something of
  /// it. An error: no such transaction is under way, or the refusals name nothing of it.
  base::StatusOr<std::vector<model::Refusal>> answer(const v1::Verdict& verdict,
                                                     const Published& published);

  /// The newest transaction that the client applied; 0: none yet.
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  /// The client holds everything that is published, refused resources aside.
  [[nodiscard]] bool current() const;
  /// Resources refused and unchanged since, with the reasons.
  [[nodiscard]] std::vector<model::Refusal> refusals() const;

 private:
  struct Sent {
    Version held;
    Version sent;
    /// Set while a Verdict is read.
    const v1::Refusal* refusal = nullptr;
  };
  struct Refused {
    Version held;
    Version refused;
    std::string reason;
  };

  std::vector<model::Refusal> mark(const v1::Verdict& verdict);
  void settle(const model::ResourceKey& key, const Sent& sent, bool applied, Version now);

  // Fixed after construction.
  const std::size_t transaction_bytes_;

  // A key stands in at most one of these. In none: the client holds the published version.
  // news_ and refused_ say what it holds instead.
  std::map<model::ResourceKey, Version> news_;
  std::map<model::ResourceKey, Sent> under_way_;
  std::map<model::ResourceKey, Refused> refused_;

  std::uint64_t number_ = 0;
  std::uint64_t acknowledged_ = 0;
  bool waiting_ = false;
};

}  // namespace holdfast::discovery
