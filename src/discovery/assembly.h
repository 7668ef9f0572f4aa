#pragma once

// Puts the Parts of one stream together to transactions. Pure; no transport. One thread. Owned by
// one stream and forgotten with it, incomplete transaction included.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include "base/status.h"
#include "discovery/limits.h"
#include "model/resource.h"

namespace holdfast::discovery {

class Assembly {
 public:
  explicit Assembly(std::size_t bytes_most = kAssemblyBytesMost) : bytes_most_(bytes_most) {}

  /// Takes the next Part; returns the transaction when this Part commits it. An error: the peer
  /// broke the contract (a number out of turn, a resource named twice, more than `bytes_most` bytes
  /// before the commit); nothing more may be added and the stream must end.
  base::StatusOr<std::optional<model::Transaction>> add(v1::Part part);

  /// The number of the transaction last committed; 0: none yet.
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  base::Status claim(const model::ResourceKey& key);

  const std::size_t bytes_most_;
  std::uint64_t number_ = 0;
  std::size_t bytes_ = 0;
  model::Transaction transaction_;
  std::set<model::ResourceKey> named_;
};

}  // namespace holdfast::discovery
