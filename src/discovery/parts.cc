#include "discovery/parts.h"

#include <utility>

#include "model/limits.h"

namespace holdfast::discovery {

namespace {

/// The tag of an entry and the longest length that fits a message.
constexpr std::size_t kEntryOverhead = 1 + 5;
/// Part.transaction and Part.commit.
constexpr std::size_t kPartOverhead = 11 + 2;

static_assert(model::kResourceBytes + kEntryOverhead + kPartOverhead <= kMessageBytesMost,
              "a valid resource fits a message");

}  // namespace

PartCutter::PartCutter(std::uint64_t number, model::Transaction transaction, std::size_t part_bytes)
    : number_(number), transaction_(std::move(transaction)), part_bytes_(part_bytes) {}

bool PartCutter::fits(std::size_t entry_bytes, std::size_t& used) const {
  const std::size_t grown = used + kEntryOverhead + entry_bytes;
  const bool alone = used == kPartOverhead;
  if (grown > part_bytes_ && !alone) return false;
  used = grown;
  return true;
}

void PartCutter::next(v1::Part& part) {
  part.Clear();
  part.set_transaction(number_);
  std::size_t used = kPartOverhead;
  const auto& upserts = transaction_.upserts;
  const auto& removals = transaction_.removals;
  while (upserts_cut_ < upserts.size()) {
    const v1::Resource& resource = *upserts[upserts_cut_];
    if (!fits(resource.ByteSizeLong(), used)) return;
    *part.add_upserts() = resource;
    ++upserts_cut_;
  }
  while (removals_cut_ < removals.size()) {
    v1::ResourceName name = model::name_of(removals[removals_cut_]);
    if (!fits(name.ByteSizeLong(), used)) return;
    *part.add_removals() = std::move(name);
    ++removals_cut_;
  }
  part.set_commit(true);
  done_ = true;
}

std::vector<v1::ClientMessage> cut_hello(const std::string& node, const std::string& version,
                                         const Held& held, std::size_t message_bytes) {
  std::vector<v1::ClientMessage> messages(1);
  messages.back().mutable_hello()->set_node(node);
  messages.back().mutable_hello()->set_version(version);
  std::size_t used = messages.back().ByteSizeLong();
  for (const auto& [key, held_version] : held) {
    v1::HeldResource entry;
    *entry.mutable_name() = model::name_of(key);
    entry.set_version(held_version);
    const std::size_t size = entry.ByteSizeLong() + kEntryOverhead;
    if (used + size > message_bytes && !messages.back().hello().held().empty()) {
      messages.back().mutable_hello()->set_more(true);
      messages.emplace_back();
      used = 0;
    }
    used += size;
    *messages.back().mutable_hello()->add_held() = std::move(entry);
  }
  return messages;
}

}  // namespace holdfast::discovery
