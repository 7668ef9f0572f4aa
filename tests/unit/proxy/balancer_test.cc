// Goal: least connections and round robin choose as they say, and never what was tried before.

#include "proxy/balancer.h"

#include <gtest/gtest.h>

#include <map>

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;

class BalancerTest : public testing::Test {
 protected:
  BalancerTest() {
    cluster_.turn = std::make_shared<RoundRobinTurn>();
    for (std::uint32_t port = 1; port <= 4; ++port) {
      cluster_.ready.push_back(std::make_shared<Endpoint>(*Address::from_ip("10.0.0.1", port)));
    }
  }

  Cluster cluster_;
  std::vector<std::shared_ptr<Endpoint>> tried_;
};

TEST_F(BalancerTest, LeastConnectionsEvensOutWhateverTheRandomNumbersAre) {
  cluster_.ready[2]->open = 5;
  std::vector<EndpointLease> leases;
  for (std::uint32_t i = 0; i < 17; ++i) {
    leases.emplace_back(pick_endpoint(cluster_, v1::LOAD_BALANCE_LEAST_CONNECTIONS, tried_, i * i));
  }
  std::multiset<std::uint32_t> open;
  for (const auto& endpoint : cluster_.ready) open.insert(endpoint->open);
  EXPECT_EQ(open, (std::multiset<std::uint32_t>{5, 5, 6, 6}));
  leases.clear();
  EXPECT_EQ(cluster_.ready[0]->open, 0U);
}

TEST_F(BalancerTest, EqualsAreChosenByTheRandomNumber) {
  std::set<std::string> chosen;
  for (std::uint32_t i = 0; i < 4; ++i) {
    chosen.insert(pick_endpoint(cluster_, v1::LOAD_BALANCE_LEAST_CONNECTIONS, tried_, i)->text);
  }
  EXPECT_EQ(chosen.size(), 4U);
}

TEST_F(BalancerTest, RoundRobinTakesTurnsExactly) {
  std::map<std::string, int> count;
  for (int i = 0; i < 40; ++i) {
    ++count[pick_endpoint(cluster_, v1::LOAD_BALANCE_ROUND_ROBIN, tried_, 0)->text];
  }
  for (const auto& [endpoint, times] : count) EXPECT_EQ(times, 10) << endpoint;
}

TEST_F(BalancerTest, WhatWasTriedIsNotChosenAgain) {
  for (const auto policy : {v1::LOAD_BALANCE_LEAST_CONNECTIONS, v1::LOAD_BALANCE_ROUND_ROBIN}) {
    tried_ = {cluster_.ready[0], cluster_.ready[1], cluster_.ready[3]};
    EXPECT_EQ(pick_endpoint(cluster_, policy, tried_, 3), cluster_.ready[2]);
    tried_.push_back(cluster_.ready[2]);
    EXPECT_EQ(pick_endpoint(cluster_, policy, tried_, 3), nullptr);
  }
}

TEST_F(BalancerTest, TerminatingEndpointsServeOnlyWhileNoneIsReady) {
  cluster_.terminating = {std::make_shared<Endpoint>(*Address::from_ip("10.0.0.2", 1))};
  const auto policy = v1::LOAD_BALANCE_LEAST_CONNECTIONS;
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_NE(pick_endpoint(cluster_, policy, tried_, i), cluster_.terminating[0]);
  }
  cluster_.ready.clear();
  EXPECT_EQ(pick_endpoint(cluster_, policy, tried_, 1), cluster_.terminating[0]);
  cluster_.terminating.clear();
  EXPECT_EQ(pick_endpoint(cluster_, policy, tried_, 1), nullptr);
}

}  // namespace
}  // namespace holdfast::proxy
