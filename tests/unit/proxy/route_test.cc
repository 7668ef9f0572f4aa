// Goal: hosts and paths are matched as discovery.proto says. Method: tables of path to route.

#include "proxy/route.h"

#include <gtest/gtest.h>

#include "proxy/snapshot.h"

namespace holdfast::proxy {
namespace {

RoutePtr route_to(const std::string& cluster) {
  auto route = std::make_shared<Route>();
  route->plain.cluster = cluster;
  return route;
}

std::string name_of(const RoutePtr& route) { return route == nullptr ? "" : route->plain.cluster; }

TEST(VirtualHost, MatchesByElementsLongestFirst) {
  VirtualHost host;
  host.add_prefix("/", route_to("root"));
  host.add_prefix("/a/b/", route_to("ab"));
  host.add_prefix("/a", route_to("a"));
  host.add_exact("/a/b", route_to("exact"));
  const std::pair<const char*, const char*> rows[] = {
      {"/", "root"},      {"/x", "root"}, {"/a", "a"},       {"/a/", "a"},
      {"/ab", "root"},    {"/a/bc", "a"}, {"/a/b", "exact"}, {"/a/b/", "ab"},
      {"/a/b/c/d", "ab"}, {"/a/c", "a"},  {"/A", "root"},
  };
  for (const auto& [path, expected] : rows) EXPECT_EQ(name_of(host.find(path)), expected) << path;
}

TEST(VirtualHost, ARulesPathIsDecodedAsARequestsIs) {
  VirtualHost host;
  host.add_exact("/caf%C3%A9", route_to("exact"));
  host.add_prefix("/%61//b%2F", route_to("ab"));
  EXPECT_EQ(name_of(host.find("/caf\xc3\xa9")), "exact");
  EXPECT_EQ(name_of(host.find("/a/b/c")), "ab");
  EXPECT_EQ(name_of(host.find("/a/bc")), "");
}

TEST(VirtualHost, WithoutRootNothingElseMatches) {
  VirtualHost host;
  host.add_prefix("/chat", route_to("chat"));
  EXPECT_EQ(name_of(host.find("/")), "");
  EXPECT_EQ(name_of(host.find("/chatter")), "");
  EXPECT_EQ(name_of(host.find("*")), "");
  EXPECT_EQ(name_of(host.find("")), "");
}

TEST(VirtualHost, ADeepPathIsLookedUpOnlyAsDeepAsThePrefixes) {
  VirtualHost host;
  host.add_prefix("/a", route_to("a"));
  std::string path = "/a";
  for (int i = 0; i < 4000; ++i) path += "/x";
  EXPECT_EQ(name_of(host.find(path)), "a");
}

class SnapshotTest : public testing::Test {
 protected:
  void add_host(const std::string& name, const std::string& prefix, const std::string& cluster,
                const std::string& fallback = "") {
    auto host = std::make_shared<VirtualHost>();
    if (!prefix.empty()) host->add_prefix(prefix, route_to(cluster));
    if (!fallback.empty()) host->set_fallback(route_to(fallback));
    Change change;
    change.hosts.emplace_back(name, host);
    snapshot_.apply(change);
  }
  std::string find(std::string_view host, std::string_view path) {
    return name_of(snapshot_.find_route(host, path));
  }

  Snapshot snapshot_;
};

TEST_F(SnapshotTest, TheMostSpecificHostDecidesAlone) {
  add_host("*", "/", "any");
  add_host("*.example.com", "/", "wild");
  add_host("chat.example.com", "/ws", "chat");
  EXPECT_EQ(find("CHAT.example.COM", "/ws"), "chat");
  EXPECT_EQ(find("chat.example.com", "/other"), "");
  EXPECT_EQ(find("mail.example.com", "/other"), "wild");
  EXPECT_EQ(find("a.mail.example.com", "/"), "any");
  EXPECT_EQ(find("example.com", "/"), "any");
  EXPECT_EQ(find(".example.com", "/"), "any");
  EXPECT_EQ(find("", "/"), "any");
}

TEST_F(SnapshotTest, FallbacksComeLast) {
  add_host("*", "/api", "any", "global");
  add_host("chat.example.com", "/ws", "chat", "own");
  add_host("mail.example.com", "/mail", "mail");
  EXPECT_EQ(find("chat.example.com", "/x"), "own");
  EXPECT_EQ(find("mail.example.com", "/x"), "global");
  EXPECT_EQ(find("mail.example.com", "/api"), "global");
  EXPECT_EQ(find("other", "/x"), "global");
}

TEST_F(SnapshotTest, ARemovedHostIsGone) {
  add_host("a", "/", "a");
  Change change;
  change.hosts.emplace_back("a", nullptr);
  snapshot_.apply(change);
  EXPECT_EQ(find("a", "/"), "");
}

}  // namespace
}  // namespace holdfast::proxy
