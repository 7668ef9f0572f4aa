#include "discovery/assembly.h"

#include <string>
#include <utility>

namespace holdfast::discovery {

base::Status Assembly::claim(const model::ResourceKey& key) {
  // Bodies that this version does not know have no kind, so that two of them may share a name.
  if (key.kind == v1::KIND_UNSPECIFIED || named_.insert(key).second) return absl::OkStatus();
  return absl::InvalidArgumentError("transaction " + std::to_string(number_ + 1) + " names " +
                                    model::to_string(key) + " twice");
}

base::StatusOr<std::optional<model::Transaction>> Assembly::add(v1::Part part) {
  if (part.transaction() != number_ + 1) {
    return absl::InvalidArgumentError("part of transaction " + std::to_string(part.transaction()) +
                                      " where transaction " + std::to_string(number_ + 1) +
                                      " is due");
  }
  bytes_ += part.ByteSizeLong();
  if (bytes_ > bytes_most_) {
    return absl::ResourceExhaustedError("transaction " + std::to_string(number_ + 1) +
                                        " is larger than " + std::to_string(bytes_most_) +
                                        " bytes");
  }
  for (v1::Resource& resource : *part.mutable_upserts()) {
    if (base::Status status = claim(model::key_of(resource)); !status.ok()) return status;
    transaction_.upserts.push_back(model::share(std::move(resource)));
  }
  for (const v1::ResourceName& name : part.removals()) {
    model::ResourceKey key = model::key_of(name);
    if (base::Status status = claim(key); !status.ok()) return status;
    transaction_.removals.push_back(std::move(key));
  }
  if (!part.commit()) return std::optional<model::Transaction>();
  ++number_;
  bytes_ = 0;
  named_.clear();
  return std::optional(std::exchange(transaction_, {}));
}

}  // namespace holdfast::discovery
