// Goal: a route's time is that of its last change, and of no other's.

#include "proxy/route_info.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;
using namespace std::chrono_literals;

const base::WallTime kStart =
    base::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));

v1::Route route(const std::string& path, const std::string& cluster,
                const std::string& field = {}) {
  v1::Route made;
  made.mutable_origin()->set_namespace_("default");
  made.mutable_origin()->set_name("chat");
  made.mutable_origin()->set_field(field);
  made.mutable_path()->set_prefix(path);
  made.set_cluster(cluster);
  return made;
}

v1::VirtualHost host(const std::vector<v1::Route>& routes) {
  v1::VirtualHost made;
  made.set_host("chat.test");
  for (const v1::Route& one : routes) *made.add_routes() = one;
  made.add_policies();
  return made;
}

/// Puts and describes.
std::vector<RouteInfo> after(RouteHistory& history, const v1::VirtualHost& state,
                             base::WallTime when) {
  history.put(state, when);
  std::vector<RouteInfo> told;
  history.describe(state, told);
  return told;
}

TEST(RouteHistory, AnotherPolicyIsAChangeAndAnotherPlaceOfItIsNone) {
  RouteHistory history;
  v1::VirtualHost state = host({route("/a", "default/x/80"), route("/b", "default/x/80")});
  state.add_policies()->set_eject_after(1);
  state.mutable_routes(1)->set_policy(1);
  after(history, state, kStart);
  state.mutable_policies()->SwapElements(0, 1);
  state.mutable_routes(0)->set_policy(1);
  state.mutable_routes(1)->set_policy(0);
  auto told = after(history, state, kStart + 1s);
  EXPECT_EQ(told[0].since, kStart);
  EXPECT_EQ(told[1].since, kStart);
  state.mutable_policies(0)->set_eject_after(2);
  told = after(history, state, kStart + 2s);
  EXPECT_EQ(told[0].since, kStart);
  EXPECT_EQ(told[1].since, kStart + 2s);
}

TEST(RouteHistory, TellsARoute) {
  RouteHistory history;
  v1::Route exact = route("", "default/rooms/80");
  exact.mutable_path()->set_exact("/a");
  v1::Route fallback = route("", "default/rest/80");
  fallback.mutable_path()->set_fallback(true);
  fallback.set_websocket_cluster("default/sockets/80");
  const auto told = after(history, host({route("/", "default/x/80"), exact, fallback}), kStart);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].match + told[0].path, "prefix/");
  EXPECT_EQ(told[1].match + told[1].path, "exact/a");
  EXPECT_EQ(told[2].match + told[2].path, "fallback");
  EXPECT_EQ(told[1].host, "chat.test");
  EXPECT_EQ(told[1].ingress_namespace + "/" + told[1].ingress, "default/chat");
  EXPECT_EQ(told[1].cluster, "default/rooms/80");
  EXPECT_EQ(told[1].since, kStart);
  EXPECT_EQ(told[2].websocket_cluster, "default/sockets/80");
}

TEST(RouteHistory, OnlyTheChangedRouteIsNew) {
  RouteHistory history;
  after(history, host({route("/a", "default/x/80"), route("/b", "default/x/80")}), kStart);
  const auto told = after(history, host({route("/a", "default/x/80"), route("/b", "default/y/80")}),
                          kStart + 1min);
  EXPECT_EQ(told[0].since, kStart);
  EXPECT_EQ(told[1].since, kStart + 1min);
}

TEST(RouteHistory, AnotherPlaceInTheIngressIsNoChange) {
  RouteHistory history;
  after(history, host({route("/a", "default/x/80", "spec.rules[0]")}), kStart);
  const auto told = after(history,
                          host({route("/new", "default/x/80", "spec.rules[0]"),
                                route("/a", "default/x/80", "spec.rules[1]")}),
                          kStart + 1min);
  EXPECT_EQ(told[0].since, kStart + 1min);
  EXPECT_EQ(told[1].since, kStart);
}

TEST(RouteHistory, WhatWasRemovedComesBackAsNew) {
  RouteHistory history;
  after(history, host({route("/a", "default/x/80")}), kStart);
  history.remove("chat.test");
  const auto told = after(history, host({route("/a", "default/x/80")}), kStart + 1min);
  EXPECT_EQ(told[0].since, kStart + 1min);
}

}  // namespace
}  // namespace holdfast::proxy
