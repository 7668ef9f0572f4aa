#include "discovery/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/limits.h"
#include "tests/unit/discovery/resources.h"

namespace holdfast::discovery {
namespace {

using testing::SizeIs;

class Handler final : public model::TransactionHandler {
 public:
  std::vector<model::Refusal> apply(const model::Transaction& transaction) override {
    ++calls;
    last = transaction;
    return refuse;
  }

  int calls = 0;
  model::Transaction last;
  std::vector<model::Refusal> refuse;
};

TEST(Replica, HoldsWhatWasApplied) {
  Handler handler;
  Replica replica(handler);
  const v1::Verdict verdict = replica.apply(5, {{endpoint_set(1), endpoint_set(2)}, {}});
  EXPECT_EQ(verdict.transaction(), 5U);
  EXPECT_THAT(verdict.refusals(), SizeIs(0));
  replica.apply(6, {{endpoint_set(2, 1)}, {set_key(1), set_key(9)}});
  EXPECT_EQ(replica.held(), (Held{{set_key(2), endpoint_set(2, 1)->version()}}));
}

TEST(Replica, KeepsWhatItHeldWhenTheHandlerRefuses) {
  Handler handler;
  Replica replica(handler);
  replica.apply(1, {{endpoint_set(1)}, {}});
  handler.refuse = {{set_key(1), "not today"}};
  const v1::Verdict verdict = replica.apply(2, {{endpoint_set(1, 1)}, {}});
  ASSERT_THAT(verdict.refusals(), SizeIs(1));
  EXPECT_EQ(verdict.refusals(0).reason(), "not today");
  EXPECT_EQ(replica.held().at(set_key(1)), endpoint_set(1)->version());
}

TEST(Replica, RefusesUnixSocketsWhateverTheHandlerSays) {
  v1::Resource resource;
  resource.set_name(set_key(2).name);
  resource.mutable_endpoint_set()->add_endpoints()->set_address("unix:/run/secret.sock");
  ASSERT_TRUE(model::validate(resource).ok());
  Handler handler;
  Replica replica(handler);
  const v1::Verdict verdict =
      replica.apply(1, {{endpoint_set(1), model::seal(std::move(resource))}, {}});
  ASSERT_THAT(verdict.refusals(), SizeIs(1));
  EXPECT_EQ(model::key_of(verdict.refusals(0).name()), set_key(2));
  EXPECT_EQ(handler.calls, 0);
  EXPECT_THAT(replica.held(), SizeIs(0));
}

TEST(Replica, TellsTheHandlerOfAnEmptyTransaction) {
  Handler handler;
  Replica replica(handler);
  replica.apply(1, {});
  EXPECT_EQ(handler.calls, 1);
}

TEST(Replica, CutsALongReasonBetweenTwoCharacters) {
  Handler handler;
  std::string reason(kReasonBytesMost - 1, 'x');
  for (int i = 0; i < 10; ++i) reason += "\xc3\xa4";
  handler.refuse = {{set_key(1), reason}};
  Replica replica(handler);
  const v1::Verdict verdict = replica.apply(1, {{endpoint_set(1)}, {}});
  EXPECT_EQ(verdict.refusals(0).reason(), std::string(kReasonBytesMost - 1, 'x'));
}

TEST(Replica, AVerdictIsBounded) {
  Handler handler;
  for (int i = 0; i < 3000; ++i) {
    handler.refuse.push_back({set_key(i), std::string(kReasonBytesMost, 'x')});
  }
  Replica replica(handler);
  const v1::Verdict verdict = replica.apply(1, {{endpoint_set(1)}, {}});
  EXPECT_GT(verdict.refusals_size(), 900);
  EXPECT_LT(verdict.ByteSizeLong(), kVerdictBytes + (64U << 10));
}

}  // namespace
}  // namespace holdfast::discovery
