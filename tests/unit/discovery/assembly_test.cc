#include "discovery/assembly.h"

#include <gtest/gtest.h>

#include "tests/unit/discovery/resources.h"

namespace holdfast::discovery {
namespace {

v1::Part part_of(std::uint64_t number, bool commit) {
  v1::Part part;
  part.set_transaction(number);
  part.set_commit(commit);
  return part;
}

v1::Part part_with(std::uint64_t number, const model::ResourcePtr& upsert, bool commit) {
  v1::Part part = part_of(number, commit);
  *part.add_upserts() = *upsert;
  return part;
}

TEST(Assembly, GivesATransactionAtItsCommit) {
  Assembly assembly;
  auto first = assembly.add(part_with(1, endpoint_set(1), false));
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->has_value());
  EXPECT_EQ(assembly.number(), 0U);
  auto second = assembly.add(part_with(1, endpoint_set(2), true));
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_EQ((*second)->upserts.size(), 2U);
  EXPECT_EQ(assembly.number(), 1U);
  // The next one starts from nothing, and may name the same resource again.
  auto third = assembly.add(part_with(2, endpoint_set(2, 1), true));
  ASSERT_TRUE(third.ok() && third->has_value());
  EXPECT_EQ((*third)->upserts.size(), 1U);
}

TEST(Assembly, ANumberOutOfTurnIsAnError) {
  for (const std::uint64_t number : {0U, 2U}) {
    Assembly assembly;
    EXPECT_FALSE(assembly.add(part_of(number, true)).ok()) << number;
  }
  Assembly assembly;
  ASSERT_TRUE(assembly.add(part_of(1, false)).ok());
  EXPECT_FALSE(assembly.add(part_of(2, false)).ok()) << "two transactions interleaved";
}

TEST(Assembly, ATransactionNumberedTwiceIsAnError) {
  Assembly assembly;
  ASSERT_TRUE(assembly.add(part_of(1, true)).ok());
  EXPECT_FALSE(assembly.add(part_of(1, true)).ok());
}

TEST(Assembly, ANameThatStandsTwiceIsAnError) {
  Assembly assembly;
  ASSERT_TRUE(assembly.add(part_with(1, endpoint_set(1), false)).ok());
  EXPECT_FALSE(assembly.add(part_with(1, endpoint_set(1, 1), true)).ok());

  Assembly other;
  v1::Part both = part_with(1, endpoint_set(1), true);
  *both.add_removals() = model::name_of(set_key(1));
  EXPECT_FALSE(other.add(both).ok());
}

TEST(Assembly, BodiesOfUnknownKindsMayShareAName) {
  v1::Part part = part_of(1, true);
  part.add_upserts()->set_name("new");
  part.add_upserts()->set_name("new");
  Assembly assembly;
  auto transaction = assembly.add(part);
  ASSERT_TRUE(transaction.ok() && transaction->has_value());
  EXPECT_EQ((*transaction)->upserts.size(), 2U);
}

TEST(Assembly, IsBoundedUntilTheCommit) {
  const std::size_t bytes = part_with(1, endpoint_set(1), false).ByteSizeLong();
  Assembly assembly(2 * bytes + 10);
  ASSERT_TRUE(assembly.add(part_with(1, endpoint_set(1), false)).ok());
  ASSERT_TRUE(assembly.add(part_with(1, endpoint_set(2), true)).ok());
  ASSERT_TRUE(assembly.add(part_with(2, endpoint_set(1), false)).ok());
  ASSERT_TRUE(assembly.add(part_with(2, endpoint_set(2), false)).ok());
  EXPECT_EQ(assembly.add(part_with(2, endpoint_set(3), false)).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace holdfast::discovery
