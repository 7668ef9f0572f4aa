// Goal: a sidecar's flags become a configuration that the data plane takes, or one sentence that
// names the flag.

#include "controller/sidecar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "controller/annotations.h"

namespace holdfast::controller {
namespace {

namespace v1 = model::v1;
using testing::HasSubstr;
using Settings = std::vector<std::pair<std::string_view, std::string_view>>;

TEST(Sidecar, OneUpstreamForEverything) {
  const auto made = sidecar_configuration("127.0.0.1:9000", Settings{{"idle-timeout", "2h"}});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->transaction.upserts.size(), 3U);
  for (const model::ResourcePtr& resource : made->transaction.upserts) {
    EXPECT_TRUE(model::validate(*resource).ok()) << model::validate(*resource);
    EXPECT_NE(resource->version(), 0U);
  }
  const v1::VirtualHost& host = made->transaction.upserts[0]->virtual_host();
  EXPECT_EQ(host.host(), "*");
  ASSERT_EQ(host.routes_size(), 1);
  EXPECT_TRUE(host.routes(0).path().fallback());
  EXPECT_EQ(host.routes(0).cluster(), "sidecar/upstream/9000");
  EXPECT_EQ(host.policies(0).idle_timeout().seconds(), 7200);
  EXPECT_EQ(host.policies(0).eject_after(), 0U);
  EXPECT_EQ(made->transaction.upserts[1]->name(), host.routes(0).cluster());
  const v1::EndpointSet& set = made->transaction.upserts[2]->endpoint_set();
  ASSERT_EQ(set.endpoints_size(), 1);
  EXPECT_EQ(set.endpoints(0).address(), "127.0.0.1");
  EXPECT_EQ(set.endpoints(0).port(), 9000U);
}

TEST(Sidecar, UnixSocketsAndIpv6) {
  const auto local = sidecar_configuration("unix:/run/app.sock", Settings{});
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(local->transaction.upserts[2]->endpoint_set().endpoints(0).address(),
            "unix:/run/app.sock");
  EXPECT_EQ(local->transaction.upserts[2]->endpoint_set().endpoints(0).port(), 0U);
  EXPECT_TRUE(sidecar_configuration("[::1]:9000", Settings{}).ok());
}

TEST(Sidecar, WhatIsNoUpstreamIsSaid) {
  for (const std::string text :
       {"", "9000", "localhost:9000", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "::1:80",
        "unix:", "unix:app.sock", "unix:/a b", "http://127.0.0.1:80"}) {
    const auto made = sidecar_configuration(text, Settings{});
    ASSERT_FALSE(made.ok()) << text;
    EXPECT_THAT(std::string(made.status().message()), testing::StartsWith("--upstream: ")) << text;
  }
  EXPECT_FALSE(sidecar_configuration("unix:/" + std::string(107, 'a'), Settings{}).ok());
}

TEST(Sidecar, AWrongValueNamesItsFlag) {
  const auto made = sidecar_configuration("127.0.0.1:9000", Settings{{"idle-timeout", "2"}});
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(std::string(made.status().message()), testing::StartsWith("--idle-timeout: \"2\""));
  EXPECT_THAT(std::string(made.status().message()), testing::Not(HasSubstr("default")));
}

TEST(Sidecar, WhatDoesNothingIsAWarning) {
  const auto made = sidecar_configuration("127.0.0.1:9000", Settings{{"missing-origin", "allow"}});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->warnings.size(), 1U);
  EXPECT_THAT(made->warnings[0], testing::StartsWith("--missing-origin: "));
}

TEST(Sidecar, KnowsWhatDoesNotChooseBetweenPods) {
  std::vector<std::string_view> flags;
  for (const Annotation& annotation : annotations()) {
    if (annotation.scope == Scope::kEverywhere) flags.push_back(annotation.name);
  }
  EXPECT_THAT(flags, testing::IsSupersetOf({"allowed-origins", "allow-cidrs", "deny-cidrs",
                                            "request-headers", "response-headers",
                                            "connect-timeout", "idle-timeout", "request-timeout",
                                            "max-body-bytes", "missing-origin", "upstream-host"}));
  for (const std::string_view name : {"load-balance", "slow-start", "hash-by", "affinity",
                                      "health-path", "websocket-service", "eject-after"}) {
    EXPECT_THAT(flags, testing::Not(testing::Contains(name)));
  }
}

}  // namespace
}  // namespace holdfast::controller
