// Goal: the status of Ingresses says where traffic goes; written by the leader alone, not again
// when it is there, and taken away only where it is ours. Method: a fake clock, and an API server
// that the test plays.

#include "controller/status_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"
#include "tests/support/scripted_api_caller.h"

namespace holdfast::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Addresses = std::vector<kube::PublishedAddress>;

const kube::ObjectName kWeb{"default", "web"};
constexpr char kReadIngress[] = "GET /apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
constexpr char kWriteStatus[] =
    "PATCH /apis/networking.k8s.io/v1/namespaces/default/ingresses/web/status"
    "?fieldManager=holdfast%2Fours";

kube::Object ingress_with(const Addresses& published, const std::string& name = "web") {
  auto made = std::make_shared<kube::Ingress>();
  made->metadata.name = {"default", name};
  made->published = published;
  return std::shared_ptr<const kube::Ingress>(made);
}

kube::Object load_balancer(const Addresses& published) {
  auto made = std::make_shared<kube::Service>();
  made->metadata.name = {"edge", "holdfast"};
  made->type = "LoadBalancer";
  made->cluster_ip = "10.96.0.7";
  made->published = published;
  return std::shared_ptr<const kube::Service>(made);
}

/// An answer to a read: the addresses as JSON, and who wrote them.
std::string stored(const std::string& addresses, const std::string& writer = "holdfast/ours",
                   const std::string& name = "web") {
  return R"({"metadata":{"namespace":"default","name":")" + name +
         R"(","resourceVersion":"7","managedFields":[{"manager":"kubectl"},{"manager":")" + writer +
         R"(","subresource":"status"}]},"spec":{},"status":{"loadBalancer":{"ingress":)" +
         addresses + "}}}";
}

class StatusWriterTest : public testing::Test {
 protected:
  explicit StatusWriterTest(PublishOptions options = {.service = kube::ObjectName{"edge",
                                                                                  "holdfast"}})
      : writer(std::move(options), "holdfast/ours", 1, caller, clock, log, [] {}) {}

  void lead() {
    writer.lead(true);
    writer.run_due();
  }
  /// Nothing is written, now or later.
  void expect_rest() {
    writer.run_due();
    EXPECT_EQ(caller.asked(), "");
    EXPECT_FALSE(writer.deadline());
  }
  double count(const std::string& result) const {
    std::vector<base::MetricFamily> families;
    writer.collect(families);
    for (const base::MetricSample& sample : families.at(0).samples) {
      if (sample.labels.at(0).second == result) return sample.value;
    }
    ADD_FAILURE() << result;
    return -1;
  }

  base::FakeClock clock;
  base::LineSink lines;
  base::Log log{lines, clock, base::LogLevel::kDebug};
  kube::ScriptedApiCaller caller;
  StatusWriter writer;
};

TEST_F(StatusWriterTest, AServedIngressGetsTheAddressesOfTheService) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}, {.ip = "", .hostname = "lb.a"}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  lead();
  ASSERT_EQ(caller.asked(), kReadIngress);
  caller.answer(200, stored("[]", "nobody"));
  ASSERT_EQ(caller.asked(), kWriteStatus);
  EXPECT_EQ(caller.request().content_type, "application/merge-patch+json");
  EXPECT_EQ(caller.body(),
            R"({"metadata":{"resourceVersion":"7"},"status":{"loadBalancer":{"ingress":)"
            R"([{"hostname":"lb.a"},{"ip":"192.0.2.1"}]}}})");
  caller.answer(200);
  expect_rest();
  EXPECT_EQ(count("written"), 1);
  // The watch brings what was written; another order is the same.
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}, {.ip = "", .hostname = "lb.a"}}));
  expect_rest();
}

TEST_F(StatusWriterTest, WhoDoesNotLeadWritesNothing) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  expect_rest();
  lead();
  ASSERT_EQ(caller.asked(), kReadIngress);
  // Led no longer when the answer comes.
  writer.lead(false);
  caller.answer(200, stored("[]"));
  expect_rest();
}

TEST_F(StatusWriterTest, WhatIsThereIsNotEvenRead) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.serve(kWeb, true);
  lead();
  expect_rest();
}

TEST_F(StatusWriterTest, AServiceWithoutAnAddressSaysNothing) {
  writer.saw(load_balancer({}));
  writer.saw(ingress_with({{.ip = "192.0.2.9", .hostname = ""}}));
  writer.serve(kWeb, true);
  lead();
  expect_rest();
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.run_due();
  EXPECT_EQ(caller.asked(), kReadIngress);
}

TEST_F(StatusWriterTest, AConflictIsReadAgain) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  lead();
  caller.answer(200, stored("[]"));
  caller.answer(409);
  EXPECT_EQ(caller.asked(), "");
  ASSERT_EQ(writer.deadline(), clock.now() + kConflictWait);
  clock.advance(kConflictWait);
  writer.run_due();
  ASSERT_EQ(caller.asked(), kReadIngress);
  // Meanwhile somebody has written the very same.
  caller.answer(200, stored(R"([{"ip":"192.0.2.1"}])", "somebody"));
  expect_rest();
  EXPECT_EQ(count("conflict"), 1);
  EXPECT_EQ(count("failed"), 0);
}

TEST_F(StatusWriterTest, EndlessConflictsWaitAsFailuresDo) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  lead();
  for (int i = 0; i < kConflictTries; ++i) {
    ASSERT_EQ(caller.asked(), kReadIngress) << i;
    caller.answer(200, stored("[]"));
    caller.answer(409);
    if (i + 1 == kConflictTries) break;
    clock.advance(kConflictWait);
    writer.run_due();
  }
  EXPECT_EQ(count("failed"), 1);
  ASSERT_TRUE(writer.deadline());
  EXPECT_GE(*writer.deadline(), clock.now() + kWriteBackoffFirst / 2);
  clock.advance(kWriteBackoffFirst);
  writer.run_due();
  EXPECT_EQ(caller.asked(), kReadIngress);
}

TEST_F(StatusWriterTest, OneThatIsRefusedDoesNotHoldUpTheOthers) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  for (const char* name : {"bad", "web"}) {
    writer.saw(ingress_with({}, name));
    writer.serve({"default", name}, true);
  }
  lead();
  ASSERT_THAT(caller.asked(), HasSubstr("/bad"));
  caller.answer(200, stored("[]", "nobody", "bad"));
  caller.answer(422);
  EXPECT_EQ(lines.count("HTTP 422"), 1U);
  clock.advance(kWriteBackoffFirst);
  writer.run_due();
  EXPECT_EQ(caller.asked(), kReadIngress);
  caller.answer(200, stored("[]"));
  caller.answer(200);
  // And then it has its turn again.
  EXPECT_THAT(caller.asked(), HasSubstr("/bad"));
}

TEST_F(StatusWriterTest, AnIngressThatLeavesLosesWhatIsOurs) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.serve(kWeb, true);
  lead();
  writer.serve(kWeb, false);
  writer.run_due();
  ASSERT_EQ(caller.asked(), kReadIngress);
  caller.answer(200, stored(R"([{"ip":"192.0.2.1"}])"));
  ASSERT_EQ(caller.asked(), kWriteStatus);
  EXPECT_THAT(caller.body(), HasSubstr(R"("ingress":[])"));
  caller.answer(200);
  expect_rest();
}

TEST_F(StatusWriterTest, WhatAnotherWroteStays) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  // Never served by us, with the very address that is ours.
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}}));
  lead();
  ASSERT_EQ(caller.asked(), kReadIngress);
  caller.answer(200, stored(R"([{"ip":"192.0.2.1"}])", "holdfast/other"));
  expect_rest();
  writer.lead(false);
  lead();
  expect_rest();
}

TEST_F(StatusWriterTest, AfterARestartWhatWasOursIsFound) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}}));
  lead();
  ASSERT_EQ(caller.asked(), kReadIngress);
  caller.answer(200, stored(R"([{"ip":"192.0.2.1"}])"));
  EXPECT_EQ(caller.asked(), kWriteStatus);
}

TEST_F(StatusWriterTest, MadeAgainUnderItsNameItIsWrittenAgain) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.serve(kWeb, true);
  lead();
  writer.saw_gone(kube::Kind::kIngress, kWeb);
  expect_rest();
  writer.saw(ingress_with({}));
  writer.run_due();
  EXPECT_EQ(caller.asked(), kReadIngress);
}

TEST_F(StatusWriterTest, WhatAFullListLacksIsGone) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  writer.saw_all(kube::Kind::kIngress, {});
  writer.serve(kWeb, false);
  lead();
  expect_rest();
}

TEST_F(StatusWriterTest, OneThatIsGoneMeanwhileIsNoFailure) {
  writer.saw(load_balancer({{.ip = "192.0.2.1", .hostname = ""}}));
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  lead();
  caller.answer(404);
  expect_rest();
  EXPECT_EQ(count("failed"), 0);
}

class FixedAddressTest : public StatusWriterTest {
 protected:
  FixedAddressTest()
      : StatusWriterTest({.addresses = {{.ip = "", .hostname = "edge.example.com"}}}) {}
};

TEST_F(FixedAddressTest, AFixedAddressNeedsNoService) {
  writer.saw(ingress_with({}));
  writer.serve(kWeb, true);
  lead();
  caller.answer(200, stored("null"));
  EXPECT_THAT(caller.body(), HasSubstr(R"([{"hostname":"edge.example.com"}])"));
}

TEST(AddressesOfTest, ByType) {
  kube::Service service;
  service.type = "LoadBalancer";
  service.cluster_ip = "10.96.0.7";
  EXPECT_THAT(addresses_of(service), ElementsAre());
  service.published = {{.ip = "192.0.2.2", .hostname = ""}, {.ip = "192.0.2.1", .hostname = ""}};
  service.external_ips = {"192.0.2.2", "192.0.2.3"};
  EXPECT_EQ(addresses_of(service), (Addresses{{.ip = "192.0.2.1", .hostname = ""},
                                              {.ip = "192.0.2.2", .hostname = ""},
                                              {.ip = "192.0.2.3", .hostname = ""}}));
  service.type = "NodePort";
  EXPECT_EQ(addresses_of(service),
            (Addresses{{.ip = "192.0.2.2", .hostname = ""}, {.ip = "192.0.2.3", .hostname = ""}}));
  service.external_ips = {};
  EXPECT_EQ(addresses_of(service), (Addresses{{.ip = "10.96.0.7", .hostname = ""}}));
  service.cluster_ip = "None";
  EXPECT_THAT(addresses_of(service), ElementsAre());
  service.type = "ExternalName";
  service.external_name = "edge.example.com";
  EXPECT_EQ(addresses_of(service), (Addresses{{.ip = "", .hostname = "edge.example.com"}}));
}

}  // namespace
}  // namespace holdfast::controller
