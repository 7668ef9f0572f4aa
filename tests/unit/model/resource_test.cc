#include "model/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/limits.h"

namespace holdfast::model {
namespace {

using testing::HasSubstr;

v1::Route route(const std::string& prefix) {
  v1::Route made;
  made.mutable_origin()->set_kind("Ingress");
  made.mutable_origin()->set_namespace_("demo");
  made.mutable_origin()->set_name("chat");
  made.mutable_path()->set_prefix(prefix);
  made.set_cluster("demo/chat/80");
  return made;
}

v1::RoutePolicy policy() {
  v1::RoutePolicy policy;
  policy.set_load_balance(v1::LOAD_BALANCE_LEAST_CONNECTIONS);
  policy.mutable_connect_timeout()->set_seconds(5);
  policy.mutable_idle_timeout()->set_seconds(3600);
  policy.mutable_request_timeout()->set_seconds(60);
  policy.mutable_upgrade_timeout()->set_seconds(10);
  return policy;
}

v1::Resource virtual_host(const std::string& host) {
  v1::Resource resource;
  resource.set_name(host);
  resource.mutable_virtual_host()->set_host(host);
  *resource.mutable_virtual_host()->add_routes() = route("/");
  *resource.mutable_virtual_host()->add_policies() = policy();
  return resource;
}

v1::Resource endpoint_set() {
  v1::Resource resource;
  resource.set_name("demo/chat/80");
  for (const char* address : {"10.0.0.1", "10.0.0.2", "2001:db8::1"}) {
    v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
    endpoint.set_address(address);
    endpoint.set_port(8080);
  }
  return resource;
}

v1::Resource cluster() {
  v1::Resource resource;
  resource.set_name("demo/chat/80");
  resource.mutable_cluster()->set_port("80");
  resource.mutable_cluster()->mutable_origin()->set_kind("Service");
  resource.mutable_cluster()->mutable_origin()->set_namespace_("demo");
  resource.mutable_cluster()->mutable_origin()->set_name("chat");
  return resource;
}

TEST(Resource, KeysNameKindAndName) {
  EXPECT_EQ(key_of(cluster()), (ResourceKey{v1::KIND_CLUSTER, "demo/chat/80"}));
  EXPECT_EQ(key_of(endpoint_set()), (ResourceKey{v1::KIND_ENDPOINT_SET, "demo/chat/80"}));
  const ResourceKey key = key_of(virtual_host("a.example"));
  EXPECT_EQ(key, (ResourceKey{v1::KIND_VIRTUAL_HOST, "a.example"}));
  EXPECT_EQ(key_of(name_of(key)), key);
  EXPECT_EQ(to_string(key), "VirtualHost a.example");
  EXPECT_EQ(key_of(v1::Resource()).kind, v1::KIND_UNSPECIFIED);
}

TEST(Resource, VersionIsTheHashOfTheContentAlone) {
  const ResourcePtr sealed = seal(cluster());
  // FNV-1a of the serialised bytes, computed apart: a client holds what another process sealed.
  EXPECT_EQ(sealed->version(), 0x2ebf49400b1294cdull);
  EXPECT_EQ(seal(*sealed)->version(), sealed->version());
  v1::Resource other = cluster();
  other.mutable_cluster()->mutable_origin()->set_field("spec.ports[0]");
  EXPECT_NE(seal(other)->version(), sealed->version());
  EXPECT_NE(seal(endpoint_set())->version(), sealed->version());
}

TEST(Resource, KeysAreWiped) {
  v1::Resource resource;
  resource.set_name("shop/web");
  std::string& key = *resource.mutable_certificate()->mutable_private_key();
  key = "a key that is longer than what a string keeps in itself";
  const std::size_t size = key.size();
  wipe_key(resource);
  EXPECT_EQ(resource.certificate().private_key(), std::string(size, '\0'));
  // What is wiped is no version's content.
  resource.mutable_certificate()->set_private_key("other");
  const ResourcePtr sealed = seal(resource);
  EXPECT_EQ(sealed->certificate().private_key(), "other");
  EXPECT_EQ(share(*sealed)->version(), sealed->version());
}

TEST(Resource, JsonHasTheFieldsByTheirProtoNames) {
  const std::string json = to_json(virtual_host("a.example"));
  EXPECT_THAT(json, HasSubstr("\"virtual_host\":{\"host\":\"a.example\""));
  EXPECT_THAT(json, HasSubstr("\"connect_timeout\":\"5s\""));
}

TEST(Validate, AcceptsWhatIsWellFormed) {
  for (const char* host : {"a.example", "*.example.com", "*", "a", "1.x-y.z"}) {
    EXPECT_TRUE(validate(virtual_host(host)).ok()) << host << validate(virtual_host(host));
  }
  EXPECT_TRUE(validate(cluster()).ok()) << validate(cluster());
  EXPECT_TRUE(validate(endpoint_set()).ok()) << validate(endpoint_set());
  v1::Resource empty;
  empty.set_name("a/b/c");
  empty.mutable_endpoint_set();
  EXPECT_TRUE(validate(empty).ok());
}

TEST(Validate, RefusesBadHosts) {
  for (const std::string host :
       {"", "A.example", "a..b", ".a", "a.", "a.example:80", "*.", "**", "*a.example", "a.*",
        "-a.b", "a-.b", "a_b", "a b", "b\xc3\xbc.de"}) {
    EXPECT_FALSE(validate(virtual_host(host)).ok()) << host;
  }
  EXPECT_TRUE(validate(virtual_host(std::string(kHostBytes, 'a'))).ok());
  EXPECT_FALSE(validate(virtual_host(std::string(kHostBytes + 1, 'a'))).ok());
}

/// Each edit breaks one rule; the sentence must name the field.
template <class Edit>
void expect_refused(v1::Resource resource, Edit edit, const std::string& sentence) {
  ASSERT_TRUE(validate(resource).ok());
  edit(resource);
  EXPECT_THAT(std::string(validate(resource).message()), HasSubstr(sentence));
}

TEST(Validate, NamesTheFieldOfARoute) {
  const auto refused = [](auto edit, const std::string& sentence) {
    expect_refused(
        virtual_host("a.example"),
        [&](v1::Resource& r) { edit(*r.mutable_virtual_host()->mutable_routes(0)); }, sentence);
  };
  refused([](v1::Route& r) { r.clear_path(); }, "routes[0].path has no match");
  refused([](v1::Route& r) { r.mutable_path()->set_fallback(false); }, "fallback is false");
  refused([](v1::Route& r) { r.mutable_path()->set_exact(""); }, "does not start with /");
  refused([](v1::Route& r) { r.mutable_path()->set_prefix("a/"); }, "does not start with /");
  refused([](v1::Route& r) { r.mutable_path()->set_exact("/a\r\nb"); }, "outside printable");
  refused([](v1::Route& r) { r.mutable_path()->set_exact("/a b"); }, "outside printable");
  refused([](v1::Route& r) { r.mutable_path()->set_exact("/\xff"); }, "outside printable");
  refused([](v1::Route& r) { r.clear_origin(); }, "routes[0].origin does not name");
  refused([](v1::Route& r) { r.set_cluster("demo/chat"); }, "routes[0].cluster");
  refused([](v1::Route& r) { r.set_cluster("a//b"); }, "routes[0].cluster");
  refused([](v1::Route& r) { r.set_cluster("a/b/"); }, "routes[0].cluster");
  refused([](v1::Route& r) { r.set_cluster("a/b/c/d"); }, "routes[0].cluster");
  refused([](v1::Route& r) { r.set_policy(1); }, "routes[0].policy is none of");
}

TEST(Validate, NamesTheFieldOfAPolicy) {
  const auto refused = [](auto edit, const std::string& sentence) {
    expect_refused(
        virtual_host("a.example"),
        [&](v1::Resource& r) { edit(*r.mutable_virtual_host()->mutable_policies(0)); },
        "virtual_host.policies[0]." + sentence);
  };
  refused([](v1::RoutePolicy& p) { p.Clear(); }, "load_balance");
  refused([](v1::RoutePolicy& p) { p.set_load_balance(v1::LoadBalance(9)); }, "load_balance");
  refused([](v1::RoutePolicy& p) { p.clear_idle_timeout(); }, "idle_timeout is not set");
  refused([](v1::RoutePolicy& p) { p.set_rewrite_prefix("/a/%2e%2e/b"); },
          "rewrite_prefix has a dot segment");
}

TEST(Validate, HoldsEachTimeoutToItsRange) {
  using google::protobuf::Duration;
  struct Case {
    const char* name;
    Duration* (v1::RoutePolicy::*field)();
    DurationRange range;
  };
  const Case cases[] = {
      {"connect_timeout", &v1::RoutePolicy::mutable_connect_timeout, kConnectTimeoutRange},
      {"idle_timeout", &v1::RoutePolicy::mutable_idle_timeout, kIdleTimeoutRange},
      {"request_timeout", &v1::RoutePolicy::mutable_request_timeout, kRequestTimeoutRange},
      {"upgrade_timeout", &v1::RoutePolicy::mutable_upgrade_timeout, kRequestTimeoutRange},
  };
  for (const Case& c : cases) {
    const auto with = [&](std::int64_t seconds, std::int32_t nanos) {
      v1::Resource resource = virtual_host("a.example");
      auto& policy = *resource.mutable_virtual_host()->mutable_policies(0);
      (policy.*c.field)()->set_seconds(seconds);
      (policy.*c.field)()->set_nanos(nanos);
      return validate(resource);
    };
    const auto split = [&](base::Duration d) {
      return with(d / std::chrono::seconds(1),
                  static_cast<std::int32_t>((d % std::chrono::seconds(1)).count()));
    };
    EXPECT_TRUE(split(c.range.least).ok()) << c.name;
    EXPECT_TRUE(split(c.range.most).ok()) << c.name;
    for (const auto& status :
         {split(c.range.least - base::Duration(1)), split(c.range.most + base::Duration(1)),
          with(-1, 0), with(0, -5), with(5, 1'000'000'000),
          with(std::numeric_limits<std::int64_t>::max(), 0)}) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(c.name));
    }
  }
}

TEST(Validate, RefusesTheSameMatchTwice) {
  const auto with = [](auto... edits) {
    v1::Resource resource = virtual_host("a.example");
    (edits(*resource.mutable_virtual_host()->add_routes()), ...);
    return validate(resource);
  };
  const auto prefix = [](const char* path) { return [path](v1::Route& r) { r = route(path); }; };
  const auto exact = [](v1::Route& r) { r = route("/"), r.mutable_path()->set_exact("/a"); };
  const auto fallback = [](v1::Route& r) { r = route("/"), r.mutable_path()->set_fallback(true); };
  EXPECT_TRUE(with(prefix("/a"), exact, fallback).ok());
  EXPECT_FALSE(with(prefix("/")).ok());
  EXPECT_FALSE(with(prefix("/a"), prefix("/a/")).ok());
  EXPECT_FALSE(with(exact, exact).ok());
  EXPECT_FALSE(with(fallback, fallback).ok());
}

TEST(Validate, NamesTheFieldOfAnEndpoint) {
  const auto refused = [](auto edit, const std::string& sentence) {
    expect_refused(
        endpoint_set(),
        [&](v1::Resource& r) { edit(*r.mutable_endpoint_set()->mutable_endpoints(2)); }, sentence);
  };
  for (const char* text :
       {"", "localhost", "10.0.0", "10.0.0.256", "[::1]", "::1%eth0", "1.2.3.4 "}) {
    refused([&](v1::Endpoint& e) { e.set_address(text); }, "endpoints[2].address");
  }
  refused([](v1::Endpoint& e) { e.set_port(0); }, "endpoints[2].port");
  refused([](v1::Endpoint& e) { e.set_port(65536); }, "endpoints[2].port");
  refused([](v1::Endpoint& e) { e.set_uid("\x01"); }, "endpoints[2] has a byte");
  refused([](v1::Endpoint& e) { e.set_address("10.0.0.1"); }, "endpoints[2] has the same address");
}

TEST(Validate, ComparesAddressesNotTheirSpelling) {
  v1::Resource resource = endpoint_set();
  v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
  endpoint.set_address("2001:db8:0:0::1");
  endpoint.set_port(8080);
  EXPECT_FALSE(validate(resource).ok());
  endpoint.set_port(8081);
  EXPECT_TRUE(validate(resource).ok());
  endpoint.set_address("::ffff:10.0.0.1");
  EXPECT_TRUE(validate(resource).ok());
  endpoint.set_port(8080);
  EXPECT_FALSE(validate(resource).ok()) << "10.0.0.1:8080 in another form";
}

TEST(Validate, RefusesNamesThatDoNotFit) {
  expect_refused(
      virtual_host("a.example"), [](v1::Resource& r) { r.set_name("b.example"); },
      "virtual_host.host is not the resource's name");
  expect_refused(
      cluster(), [](v1::Resource& r) { r.set_name("x"); }, "NAMESPACE/SERVICE/PORT");
  expect_refused(
      cluster(), [](v1::Resource& r) { r.mutable_cluster()->set_port("8"); }, "cluster.port");
  expect_refused(
      cluster(), [](v1::Resource& r) { r.mutable_cluster()->clear_origin(); }, "cluster.origin");
  expect_refused(
      endpoint_set(), [](v1::Resource& r) { r.set_name("a/b"); }, "NAMESPACE/SERVICE/PORT");
}

TEST(ParseClusterName, HasThreePartsNoneOfThemEmpty) {
  const std::optional<ClusterName> name = parse_cluster_name("demo/chat/80");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->service_namespace, "demo");
  EXPECT_EQ(name->service, "chat");
  EXPECT_EQ(name->port, "80");
  for (const char* bad : {"", "demo", "demo/chat", "/chat/80", "demo//80", "demo/chat/", "//",
                          "demo/chat/80/", "demo/chat/80/81"}) {
    EXPECT_FALSE(parse_cluster_name(bad)) << bad;
  }
}

TEST(Validate, RefusesUnknownBodiesAndResourcesOfMoreThanAPart) {
  v1::Resource unknown;
  unknown.set_name("x");
  EXPECT_THAT(std::string(validate(unknown).message()), HasSubstr("no body"));
  v1::Resource large = virtual_host("a.example");
  for (int i = 0; i < 18; ++i) {
    *large.mutable_virtual_host()->add_routes() = route("/" + std::string(61'000 + i, 'a'));
    EXPECT_EQ(validate(large).ok(), large.ByteSizeLong() <= kResourceBytes) << i;
  }
  EXPECT_THAT(std::string(validate(large).message()), HasSubstr("more than"));
}

}  // namespace
}  // namespace holdfast::model
