#include "discovery/subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/discovery/resources.h"

namespace holdfast::discovery {
namespace {

using model::ResourceKey;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

v1::Verdict ack(std::uint64_t number) {
  v1::Verdict verdict;
  verdict.set_transaction(number);
  return verdict;
}

v1::Verdict nack(std::uint64_t number, const std::vector<ResourceKey>& keys) {
  v1::Verdict verdict = ack(number);
  for (const ResourceKey& key : keys) {
    v1::Refusal& refusal = *verdict.add_refusals();
    *refusal.mutable_name() = model::name_of(key);
    refusal.set_reason("no");
  }
  return verdict;
}

std::vector<ResourceKey> upserts(const Outgoing& out) {
  std::vector<ResourceKey> keys;
  for (const auto& resource : out.transaction.upserts) keys.push_back(model::key_of(*resource));
  return keys;
}

/// The published state and one subscription to it.
class SubscriptionTest : public testing::Test {
 protected:
  void publish(const model::ResourcePtr& resource) {
    const ResourceKey key = model::key_of(*resource);
    const Version before = version_in(published_, key);
    published_[key] = resource;
    if (subscription_) subscription_->changed(key, before, resource->version());
  }
  void withdraw(const ResourceKey& key) {
    const Version before = version_in(published_, key);
    published_.erase(key);
    if (subscription_) subscription_->changed(key, before, Version());
  }
  Subscription& subscribe(const Held& held = {}, std::size_t transaction_bytes = 1 << 20) {
    return subscription_.emplace(held, published_, transaction_bytes);
  }
  Outgoing next() {
    EXPECT_TRUE(subscription_->has_news());
    return subscription_->next(published_);
  }
  void applied(std::uint64_t number) {
    ASSERT_TRUE(subscription_->answer(ack(number), published_).ok());
  }
  void refused(std::uint64_t number, const std::vector<ResourceKey>& keys) {
    const auto named = subscription_->answer(nack(number, keys), published_);
    ASSERT_TRUE(named.ok()) << named.status();
    EXPECT_THAT(*named, SizeIs(keys.size()));
  }

  Published published_;
  std::optional<Subscription> subscription_;
};

TEST_F(SubscriptionTest, WhatIsNamedAndUnknownIsKept) {
  v1::Resource server;
  server.set_name("a.test");
  server.mutable_server_name()->set_host("a.test");
  server.mutable_server_name()->add_certificates("n/broken");
  server.mutable_server_name()->mutable_client_certificates()->set_trust_bundle("n/gone");
  v1::Resource cluster;
  cluster.set_name("n/s/80");
  cluster.mutable_cluster()->mutable_tls()->set_certificate("n/own@client");
  publish(model::seal(server));
  publish(model::seal(cluster));
  subscribe({{{v1::KIND_CERTIFICATE, "n/broken"}, 1},
             {{v1::KIND_CERTIFICATE, "n/own@client"}, 1},
             {{v1::KIND_CERTIFICATE, "n/unnamed"}, 1},
             {{v1::KIND_TRUST_BUNDLE, "n/broken"}, 1},
             {{v1::KIND_TRUST_BUNDLE, "n/gone"}, 1}});
  const Outgoing out = next();
  EXPECT_THAT(out.transaction.removals,
              ElementsAre(ResourceKey{v1::KIND_CERTIFICATE, "n/unnamed"},
                          ResourceKey{v1::KIND_TRUST_BUNDLE, "n/broken"}));
}

TEST_F(SubscriptionTest, SendsTheDifferenceToWhatIsHeld) {
  publish(endpoint_set(1));
  publish(endpoint_set(2, 7));
  publish(endpoint_set(3));
  subscribe({{set_key(1), endpoint_set(1)->version()},
             {set_key(2), endpoint_set(2, 6)->version()},
             {set_key(4), 44}});
  const Outgoing out = next();
  EXPECT_EQ(out.number, 1U);
  EXPECT_THAT(upserts(out), ElementsAre(set_key(2), set_key(3)));
  EXPECT_THAT(out.transaction.removals, ElementsAre(set_key(4)));
  EXPECT_FALSE(subscription_->current());
  applied(1);
  EXPECT_TRUE(subscription_->current());
  EXPECT_EQ(subscription_->acknowledged(), 1U);
  EXPECT_FALSE(subscription_->has_news());
}

TEST_F(SubscriptionTest, TellsAClientThatIsCurrentOnce) {
  publish(endpoint_set(1));
  subscribe({{set_key(1), endpoint_set(1)->version()}});
  const Outgoing out = next();
  EXPECT_THAT(out.transaction.upserts, IsEmpty());
  EXPECT_THAT(out.transaction.removals, IsEmpty());
  applied(1);
  EXPECT_FALSE(subscription_->has_news());
}

TEST_F(SubscriptionTest, HasOneTransactionUnderWayAndMergesWhatChangesMeanwhile) {
  publish(endpoint_set(1, 1));
  subscribe();
  next();
  publish(endpoint_set(1, 2));
  publish(endpoint_set(2, 1));
  publish(endpoint_set(2, 2));
  publish(endpoint_set(3));
  withdraw(set_key(3));
  EXPECT_FALSE(subscription_->has_news());
  applied(1);
  const Outgoing out = next();
  ASSERT_THAT(upserts(out), ElementsAre(set_key(1), set_key(2)));
  EXPECT_EQ(out.transaction.upserts[0]->version(), endpoint_set(1, 2)->version());
  EXPECT_EQ(out.transaction.upserts[1]->version(), endpoint_set(2, 2)->version());
  EXPECT_THAT(out.transaction.removals, IsEmpty());
}

TEST_F(SubscriptionTest, ForgetsAChangeThatIsTakenBack) {
  publish(endpoint_set(1, 1));
  subscribe();
  next();
  applied(1);
  publish(endpoint_set(1, 2));
  EXPECT_TRUE(subscription_->has_news());
  publish(endpoint_set(1, 1));
  EXPECT_FALSE(subscription_->has_news());
  withdraw(set_key(1));
  publish(endpoint_set(1, 1));
  EXPECT_FALSE(subscription_->has_news());
}

TEST_F(SubscriptionTest, SendsTheRestOfARefusedTransactionAtOnce) {
  publish(endpoint_set(1));
  publish(endpoint_set(2));
  subscribe({{set_key(3), 33}});
  next();
  refused(1, {set_key(2)});
  const Outgoing rest = next();
  EXPECT_EQ(rest.number, 2U);
  EXPECT_THAT(upserts(rest), ElementsAre(set_key(1)));
  EXPECT_THAT(rest.transaction.removals, ElementsAre(set_key(3)));
  applied(2);
  EXPECT_TRUE(subscription_->current());
  ASSERT_THAT(subscription_->refusals(), SizeIs(1));
  EXPECT_EQ(subscription_->refusals()[0].key, set_key(2));
  EXPECT_EQ(subscription_->refusals()[0].reason, "no");
}

TEST_F(SubscriptionTest, SendsARefusedResourceAgainOnlyOnceItChanges) {
  publish(endpoint_set(1, 1));
  subscribe();
  next();
  refused(1, {set_key(1)});
  next();  // Nothing but the news that the client is current.
  applied(2);
  publish(endpoint_set(1, 1));
  EXPECT_FALSE(subscription_->has_news());
  publish(endpoint_set(1, 2));
  EXPECT_THAT(upserts(next()), ElementsAre(set_key(1)));
  applied(3);
  EXPECT_THAT(subscription_->refusals(), IsEmpty());
}

TEST_F(SubscriptionTest, RemovesARefusedResourceOnlyFromAClientThatHoldsAnOlderOne) {
  publish(endpoint_set(1, 2));
  publish(endpoint_set(2, 2));
  subscribe({{set_key(1), endpoint_set(1, 1)->version()}});
  next();
  refused(1, {set_key(1), set_key(2)});
  withdraw(set_key(1));
  withdraw(set_key(2));
  const Outgoing out = next();
  EXPECT_THAT(out.transaction.upserts, IsEmpty());
  EXPECT_THAT(out.transaction.removals, ElementsAre(set_key(1)));
}

TEST_F(SubscriptionTest, GoesBackToTheVersionThatTheClientKeptAfterARefusal) {
  publish(endpoint_set(1, 1));
  subscribe({{set_key(1), endpoint_set(1, 1)->version()}});
  next();
  applied(1);
  publish(endpoint_set(1, 2));
  next();
  refused(2, {set_key(1)});
  publish(endpoint_set(1, 1));
  EXPECT_FALSE(subscription_->has_news());
  EXPECT_TRUE(subscription_->current());
  EXPECT_THAT(subscription_->refusals(), IsEmpty());
}

TEST_F(SubscriptionTest, SendsTheNewestOfWhatChangedWhileItWasRefused) {
  publish(endpoint_set(1, 1));
  subscribe();
  next();
  publish(endpoint_set(1, 2));
  refused(1, {set_key(1)});
  const Outgoing out = next();
  ASSERT_THAT(out.transaction.upserts, SizeIs(1));
  EXPECT_EQ(out.transaction.upserts[0]->version(), endpoint_set(1, 2)->version());
}

TEST_F(SubscriptionTest, TakesARefusalWithoutKindForEveryResourceOfThatName) {
  publish(endpoint_set(1));
  publish(endpoint_set(2));
  subscribe();
  next();
  refused(1, {{v1::KIND_UNSPECIFIED, set_key(2).name}});
  EXPECT_THAT(upserts(next()), ElementsAre(set_key(1)));
  EXPECT_EQ(subscription_->refusals().at(0).key, set_key(2));
}

TEST_F(SubscriptionTest, SplitsADifferenceBeyondTheLimit) {
  for (int i = 0; i < 3; ++i) publish(endpoint_set(i, 0, 100));
  subscribe({}, 1000);
  EXPECT_THAT(upserts(next()), ElementsAre(set_key(0)));
  applied(1);
  EXPECT_FALSE(subscription_->current());
  EXPECT_THAT(upserts(next()), ElementsAre(set_key(1)));
  applied(2);
  EXPECT_THAT(upserts(next()), ElementsAre(set_key(2)));
  applied(3);
  EXPECT_TRUE(subscription_->current());
}

TEST_F(SubscriptionTest, AVerdictOutOfTurnIsAnError) {
  publish(endpoint_set(1));
  Subscription& subscription = subscribe();
  EXPECT_FALSE(subscription.answer(ack(0), published_).ok());
  EXPECT_FALSE(subscription.answer(ack(1), published_).ok());
  next();
  EXPECT_FALSE(subscription.answer(ack(2), published_).ok());
  EXPECT_FALSE(subscription.answer(nack(1, {set_key(9)}), published_).ok());
  applied(1);
  EXPECT_FALSE(subscription.answer(ack(1), published_).ok());
}

// Against a naive client, through random changes, verdicts and reconnects: what it holds always
// becomes what is published, less what it refuses.
TEST_F(SubscriptionTest, AlwaysConverges) {
  std::mt19937 random(1);
  const auto draw = [&random](int below) { return static_cast<int>(random() % below); };
  // Generation 3 of anything is refused.
  const auto refuses = [](const v1::Resource& resource) {
    return resource.endpoint_set().endpoints(0).uid() == "generation-3";
  };
  Held client;
  subscribe(client);
  std::optional<Outgoing> under_way;
  const auto answer = [&] {
    std::vector<ResourceKey> keys;
    for (const auto& resource : under_way->transaction.upserts) {
      const ResourceKey key = model::key_of(*resource);
      ASSERT_FALSE(client.contains(key) && client[key] == resource->version())
          << "sent for nothing";
      if (refuses(*resource)) keys.push_back(key);
    }
    for (const auto& key : under_way->transaction.removals) ASSERT_TRUE(client.contains(key));
    if (keys.empty()) put(client, under_way->transaction);
    ASSERT_TRUE(subscription_->answer(nack(under_way->number, keys), published_).ok());
    under_way.reset();
  };
  for (int step = 0; step < 20'000; ++step) {
    switch (draw(5)) {
      case 0:
      case 1:
        publish(endpoint_set(draw(8), draw(4)));
        break;
      case 2:
        withdraw(set_key(draw(8)));
        break;
      case 3:
        if (under_way) {
          ASSERT_NO_FATAL_FAILURE(answer());
        } else if (subscription_->has_news()) {
          under_way = next();
        }
        break;
      case 4:
        if (draw(20) == 0) {
          under_way.reset();
          subscribe(client, draw(2) == 0 ? 1 : 1 << 20);
        }
        break;
    }
    if (step % 100 != 0) continue;
    while (under_way || subscription_->has_news()) {
      if (!under_way) under_way = next();
      ASSERT_NO_FATAL_FAILURE(answer());
    }
    ASSERT_TRUE(subscription_->current());
    for (int i = 0; i < 8; ++i) {
      const auto found = published_.find(set_key(i));
      const bool refused = found != published_.end() && refuses(*found->second);
      if (refused) continue;
      const auto held = client.find(set_key(i));
      const Version holds = held == client.end() ? Version() : Version(held->second);
      ASSERT_EQ(holds, version_in(published_, set_key(i))) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace holdfast::discovery
