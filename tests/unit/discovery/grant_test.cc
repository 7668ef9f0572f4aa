// Goal: a client sees what its grant covers, as that changes, and nothing else.

#include "discovery/grant.h"

#include <gtest/gtest.h>

namespace holdfast::discovery {
namespace {

v1::Resource host(const std::vector<std::string>& namespaces) {
  v1::Resource resource;
  resource.set_name("a.test");
  resource.mutable_virtual_host()->set_host("a.test");
  for (const std::string& name : namespaces) {
    resource.mutable_virtual_host()->add_routes()->mutable_origin()->set_namespace_(name);
  }
  return resource;
}

v1::Resource server_name(const std::string& origin, const std::string& certificate) {
  v1::Resource resource;
  resource.mutable_server_name()->mutable_origin()->set_namespace_(origin);
  resource.mutable_server_name()->add_certificates(certificate);
  return resource;
}

template <class Body>
v1::Resource named(const std::string& name, Body body) {
  v1::Resource resource;
  resource.set_name(name);
  body(resource);
  return resource;
}

TEST(Grant, IsReadAsWritten) {
  const auto all = parse_grant("spiffe://cluster.local/ns/edge/sa/proxy");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->identity, "spiffe://cluster.local/ns/edge/sa/proxy");
  EXPECT_TRUE(all->namespaces.empty());
  const auto some = parse_grant(" proxy.edge = one, two ,");
  ASSERT_TRUE(some.ok());
  EXPECT_EQ(some->identity, "proxy.edge");
  EXPECT_EQ(some->namespaces, (std::set<std::string>{"one", "two"}));
  for (const char* bad : {"", "=one", "proxy=", "proxy= ,"})
    EXPECT_FALSE(parse_grant(bad).ok()) << bad;
}

TEST(Grant, CoversWhatIsOfItsNamespacesAlone) {
  const Grant one{"proxy", {"one"}};
  const Grant both{"proxy", {"one", "two"}};
  const Grant all{"proxy", {}};
  EXPECT_TRUE(one.covers(host({"one", "one"})));
  EXPECT_FALSE(one.covers(host({"one", "two"})));
  EXPECT_FALSE(one.covers(host({})));
  EXPECT_TRUE(both.covers(host({"one", "two"})));
  EXPECT_TRUE(all.covers(host({})));

  const auto certificate = [](v1::Resource& r) { r.mutable_certificate(); };
  EXPECT_TRUE(one.covers(named("one/secret", certificate)));
  EXPECT_FALSE(one.covers(named("two/secret", certificate)));
  EXPECT_FALSE(one.covers(named("onetwo/secret", certificate)));
  EXPECT_TRUE(all.covers(named("two/secret", certificate)));
  EXPECT_FALSE(one.covers(named("two/a/80", [](v1::Resource& r) { r.mutable_cluster(); })));
  EXPECT_TRUE(one.covers(named("one/a/80", [](v1::Resource& r) { r.mutable_endpoint_set(); })));
  EXPECT_FALSE(one.covers(named("two/a", [](v1::Resource& r) { r.mutable_trust_bundle(); })));

  EXPECT_TRUE(one.covers(server_name("one", "one/secret")));
  EXPECT_FALSE(one.covers(server_name("one", "two/secret")));
  EXPECT_FALSE(one.covers(server_name("two", "one/secret")));
}

}  // namespace
}  // namespace holdfast::discovery
