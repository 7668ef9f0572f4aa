#pragma once

// Cuts what is sent into messages of about kPartBytes. Pure values; no transport. Never fails.

#include <cstdint>
#include <string>
#include <vector>

#include "discovery/limits.h"
#include "discovery/subscription.h"
#include "model/resource.h"

namespace holdfast::discovery {

/// Cuts one transaction into Parts, one at a time, so that only one copy of one Part exists. The
/// resources stay shared. One thread at a time.
class PartCutter {
 public:
  PartCutter(std::uint64_t number, model::Transaction transaction,
             std::size_t part_bytes = kPartBytes);

  /// The Part with commit = true has been cut.
  [[nodiscard]] bool done() const { return done_; }
  /// The next Part: at most `part_bytes` when serialised, or one entry that is larger alone.
  /// REQUIRES: !done().
  void next(v1::Part& part);

 private:
  bool fits(std::size_t entry_bytes, std::size_t& used) const;

  // Fixed after construction.
  std::uint64_t number_;
  model::Transaction transaction_;
  std::size_t part_bytes_;

  std::size_t upserts_cut_ = 0;
  std::size_t removals_cut_ = 0;
  bool done_ = false;
};

/// A client's Hello, in as many messages as it needs (at least one).
std::vector<v1::ClientMessage> cut_hello(const std::string& node, const std::string& version,
                                         const Held& held, std::size_t message_bytes = kPartBytes);

}  // namespace holdfast::discovery
