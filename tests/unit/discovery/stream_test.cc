// A server and its clients within one process.

#include <gmock/gmock.h>

#include "tests/unit/discovery/fixture.h"

namespace holdfast::discovery {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class StreamTest : public DiscoveryTest {
 protected:
  void SetUp() override { ASSERT_TRUE(server_->start("").ok()); }

  std::unique_ptr<Client> connect(Recorder& recorder, const std::string& node = "node") {
    return make_client(server_->in_process_channel(), recorder, node);
  }

  std::unique_ptr<Server> server_ = make_server();
};

TEST_F(StreamTest, NothingIsSentBeforeTheFirstPublish) {
  Recorder recorder;
  const auto client = connect(recorder);
  ASSERT_TRUE(lines_.wait_for("discovery client connected"));
  EXPECT_EQ(metric(*server_, "holdfast_discovery_clients"), 1);
  EXPECT_EQ(metric(*server_, "holdfast_discovery_transactions_total"), 0);
  EXPECT_EQ(client->applied(), 0U);
  server_->publish({{endpoint_set(1), endpoint_set(2)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  EXPECT_THAT(recorder.applied()[0].upserts, SizeIs(2));
  EXPECT_TRUE(client->connection().is_open);
}

TEST_F(StreamTest, AnEmptyStateIsATransactionToo) {
  Recorder recorder;
  const auto client = connect(recorder);
  server_->publish({});
  ASSERT_TRUE(recorder.wait_applied(1));
  EXPECT_THAT(recorder.applied()[0].upserts, IsEmpty());
  EXPECT_TRUE(eventually([&] { return server_->clients().at(0).current; }));
}

TEST_F(StreamTest, OnlyTheDifferenceTravels) {
  Recorder recorder;
  const auto client = connect(recorder);
  server_->publish({{endpoint_set(1), endpoint_set(2), endpoint_set(3)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  server_->publish({{endpoint_set(1), endpoint_set(2, 1)}, {}});
  ASSERT_TRUE(recorder.wait_applied(2));
  const auto difference = recorder.applied()[1];
  ASSERT_THAT(difference.upserts, SizeIs(1));
  EXPECT_EQ(model::key_of(*difference.upserts[0]), set_key(2));
  server_->publish({{}, {set_key(3), set_key(9)}});
  ASSERT_TRUE(recorder.wait_applied(3));
  EXPECT_EQ(recorder.applied()[2].removals, std::vector{set_key(3)});
  EXPECT_EQ(recorder.held(), 2U);
  EXPECT_TRUE(eventually([&] { return client->applied() == 3; }));
  EXPECT_EQ(metric(*client, "holdfast_discovery_resources_held"), 2);
  EXPECT_EQ(metric(*client, "holdfast_discovery_transactions_applied_total"), 3);
  EXPECT_EQ(metric(*server_, "holdfast_discovery_resources_sent_total"), 4);
}

TEST_F(StreamTest, ASlowClientGetsTheNewestState) {
  Recorder slow;
  Recorder quick;
  slow.set_gate(false);
  const auto slow_client = connect(slow, "slow");
  server_->publish({{endpoint_set(0)}, {}});
  ASSERT_TRUE(slow.wait_entered(1));
  const auto quick_client = connect(quick, "quick");
  for (int generation = 0; generation < 1000; ++generation) {
    server_->publish(
        {{endpoint_set(1, generation), endpoint_set(2 + generation)}, {set_key(1 + generation)}});
  }
  ASSERT_TRUE(quick.wait_holds(set_key(1001), endpoint_set(1001)));
  slow.set_gate(true);
  ASSERT_TRUE(slow.wait_applied(2));
  EXPECT_TRUE(eventually([&] {
    const auto clients = server_->clients();
    return std::all_of(clients.begin(), clients.end(), [](const auto& c) { return c.current; });
  }));
  ASSERT_THAT(slow.applied(), SizeIs(2));
  EXPECT_THAT(slow.applied()[1].upserts, SizeIs(2)) << "only what is left of a thousand changes";
  EXPECT_TRUE(slow.wait_holds(set_key(1), endpoint_set(1, 999)));
  EXPECT_EQ(slow.held(), quick.held());
}

TEST_F(StreamTest, ALargeTransactionTravelsInPartsAndIsAppliedWhole) {
  Recorder recorder;
  const auto client = connect(recorder);
  model::Transaction large;
  std::size_t bytes = 0;
  for (int i = 0; i < 30; ++i) {
    large.upserts.push_back(large_set(i));
    bytes += large.upserts.back()->ByteSizeLong();
  }
  ASSERT_GT(bytes, std::size_t{10} << 20);
  server_->publish(large);
  ASSERT_TRUE(recorder.wait_applied(1));
  ASSERT_THAT(recorder.applied()[0].upserts, SizeIs(30));
  EXPECT_TRUE(recorder.wait_holds(set_key(29), large_set(29)));
  EXPECT_GE(metric(*server_, "holdfast_discovery_sent_bytes_total"), static_cast<double>(bytes));
}

TEST_F(StreamTest, StopsWithConnectedClients) {
  Recorder recorder;
  const auto client = connect(recorder);
  server_->publish({{endpoint_set(1)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  server_->stop();
  EXPECT_TRUE(eventually([&] { return !client->connection().is_open; }));
  EXPECT_EQ(metric(*server_, "holdfast_discovery_clients"), 0);
  server_->publish({{endpoint_set(2)}, {}});
  client->stop();
  EXPECT_EQ(recorder.held(), 1U) << "keeps what it has";
}

TEST_F(StreamTest, AClientStopsWhileItsHandlerIsBusy) {
  Recorder recorder;
  recorder.set_gate(false);
  const auto client = connect(recorder);
  server_->publish({{endpoint_set(1)}, {}});
  ASSERT_TRUE(recorder.wait_entered(1));
  std::thread stopper([&] { client->stop(); });
  recorder.set_gate(true);
  stopper.join();
  EXPECT_FALSE(client->connection().is_open);
  EXPECT_TRUE(lines_.wait_for("discovery client gone"));
}

class RefusalTest : public DiscoveryTest {
 protected:
  void SetUp() override { ASSERT_TRUE(server_->start("").ok()); }

  void took(const std::string& node, const model::Refusal& refusal) {
    const std::lock_guard lock(mutex_);
    told_.emplace_back(node, refusal);
  }
  std::vector<std::pair<std::string, model::Refusal>> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }

  std::mutex mutex_;
  std::vector<std::pair<std::string, model::Refusal>> told_;
  std::unique_ptr<Server> server_ =
      make_server([this](const std::string& node, const model::Refusal& r) { took(node, r); });
};

TEST_F(RefusalTest, TheRestOfARefusedTransactionIsServed) {
  // This data plane does not like generation 7.
  Recorder recorder([](const v1::Resource& resource) {
    return resource.endpoint_set().endpoints(0).uid() == "generation-7";
  });
  const auto client = make_client(server_->in_process_channel(), recorder, "picky");
  server_->publish({{endpoint_set(1), endpoint_set(2, 7), endpoint_set(3)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  EXPECT_THAT(recorder.applied()[0].upserts, SizeIs(2));
  EXPECT_TRUE(eventually([&] { return server_->clients().at(0).current; }));
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].first, "picky");
  EXPECT_EQ(told()[0].second.key, set_key(2));
  EXPECT_EQ(told()[0].second.reason, "no");
  ASSERT_THAT(server_->clients().at(0).refusals, SizeIs(1));
  EXPECT_EQ(metric(*client, "holdfast_discovery_transactions_refused_total"), 1);
  EXPECT_EQ(metric(*server_, "holdfast_discovery_refusals_total"), 1);

  // Not sent again beside another change; sent when it changes.
  server_->publish({{endpoint_set(1, 1)}, {}});
  ASSERT_TRUE(recorder.wait_applied(2));
  EXPECT_THAT(recorder.applied()[1].upserts, SizeIs(1));
  server_->publish({{endpoint_set(2, 8)}, {}});
  ASSERT_TRUE(recorder.wait_holds(set_key(2), endpoint_set(2, 8)));
  EXPECT_TRUE(eventually([&] { return server_->clients().at(0).refusals.empty(); }));
  EXPECT_THAT(told(), SizeIs(1));
}

TEST_F(RefusalTest, AnInvalidResourceIsToldAndStopsNothingElse) {
  Recorder recorder;
  const auto client = make_client(server_->in_process_channel(), recorder);
  server_->publish({{endpoint_set(1), invalid_set(2)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  EXPECT_THAT(recorder.applied()[0].upserts, SizeIs(1));
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].second.key, set_key(2));
}

}  // namespace
}  // namespace holdfast::discovery
