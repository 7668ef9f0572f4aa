#include "discovery/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/assembly.h"
#include "tests/unit/discovery/resources.h"

namespace holdfast::discovery {
namespace {

std::vector<v1::Part> cut_all(PartCutter cutter) {
  std::vector<v1::Part> parts;
  while (!cutter.done()) cutter.next(parts.emplace_back());
  return parts;
}

TEST(PartCutter, AnEmptyTransactionIsOneCommit) {
  const auto parts = cut_all(PartCutter(3, {}));
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].transaction(), 3U);
  EXPECT_TRUE(parts[0].commit());
}

TEST(PartCutter, OnlyTheLastPartCommitsAndNoneIsLargerThanAsked) {
  model::Transaction transaction;
  for (int i = 0; i < 300; ++i) transaction.upserts.push_back(endpoint_set(i, 0, i % 7));
  for (int i = 300; i < 600; ++i) transaction.removals.push_back(set_key(i));
  const auto parts = cut_all(PartCutter(1, transaction, 2000));
  ASSERT_GT(parts.size(), 10U);
  Assembly assembly;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    EXPECT_LE(parts[i].ByteSizeLong(), 2000U);
    EXPECT_EQ(parts[i].commit(), i + 1 == parts.size());
    const auto assembled = assembly.add(parts[i]);
    ASSERT_TRUE(assembled.ok()) << assembled.status();
    ASSERT_EQ(assembled->has_value(), parts[i].commit());
    if (!parts[i].commit()) continue;
    ASSERT_EQ((*assembled)->upserts.size(), 300U);
    for (std::size_t j = 0; j < 300; ++j) {
      EXPECT_EQ((*assembled)->upserts[j]->SerializeAsString(),
                transaction.upserts[j]->SerializeAsString());
    }
    EXPECT_EQ((*assembled)->removals, transaction.removals);
  }
}

TEST(PartCutter, AnEntryThatIsTooLargeTravelsAlone) {
  model::Transaction transaction;
  for (const int endpoints : {1, 200, 1}) {
    transaction.upserts.push_back(
        endpoint_set(static_cast<int>(transaction.upserts.size()), 0, endpoints));
  }
  const auto parts = cut_all(PartCutter(1, transaction, 500));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[1].upserts_size(), 1);
  EXPECT_GT(parts[1].ByteSizeLong(), 500U);
}

TEST(CutHello, IsOneMessageForAClientThatHoldsNothing) {
  const auto messages = cut_hello("node", "1.0", {});
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].hello().node(), "node");
  EXPECT_EQ(messages[0].hello().version(), "1.0");
  EXPECT_FALSE(messages[0].hello().more());
}

TEST(CutHello, NamesEverythingHeldInMessagesThatFit) {
  Held held;
  for (int i = 0; i < 1000; ++i) held[set_key(i)] = static_cast<std::uint64_t>(i);
  const auto messages = cut_hello("node", "1.0", held, 1000);
  ASSERT_GT(messages.size(), 10U);
  Held said;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_LE(messages[i].ByteSizeLong(), 1010U);
    EXPECT_EQ(messages[i].hello().more(), i + 1 != messages.size());
    for (const auto& entry : messages[i].hello().held()) {
      said[model::key_of(entry.name())] = entry.version();
    }
  }
  EXPECT_EQ(said, held);
}

}  // namespace
}  // namespace holdfast::discovery
