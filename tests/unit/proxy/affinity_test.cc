// Goal: an affinity cookie names the same endpoint in every process and shows no address; cookies
// of others say nothing; its attributes are as they were asked for.
// Method: clusters compiled from messages, as two replicas would.

#include "proxy/affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/snapshot_compiler.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/proxy/compiler_fixture.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;
using testing::HasSubstr;
using testing::Not;

v1::Affinity affinity() {
  v1::Affinity made;
  made.set_cookie_name("pod");
  made.set_cookie_same_site(v1::SAME_SITE_LAX);
  made.set_cookie_secure(v1::SECURE_AUTO);
  return made;
}

/// A process with one cluster.
class Replica {
 public:
  explicit Replica(const std::string& name = "default/rooms/80") : name_(name) {}

  const Cluster& serve(const std::vector<std::string>& ready, const std::string& salt = "salt",
                       const std::vector<std::string>& terminating = {}) {
    v1::Resource resource;
    resource.set_name(name_);
    resource.mutable_endpoint_set()->set_salt(salt);
    const auto add = [&](const std::string& address, bool is_terminating) {
      v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
      endpoint.set_address(address);
      endpoint.set_port(port);
      if (has_uids) endpoint.set_uid(uid.empty() ? "uid-of-" + address : uid);
      endpoint.set_terminating(is_terminating);
    };
    for (const std::string& address : ready) add(address, false);
    for (const std::string& address : terminating) add(address, true);
    model::Transaction transaction{{model::seal(resource)}, {}};
    if (has_checks) transaction.upserts.push_back(checks(name_, "/healthz"));
    const SnapshotCompiler::Result compiled = compiler_.compile(transaction);
    EXPECT_TRUE(compiled.refusals.empty());
    snapshot_.apply(compiled.change);
    compiler_.commit(transaction);
    cluster_ = snapshot_.find_cluster(name_);
    return *cluster_;
  }
  std::uint32_t port = 80;
  bool has_uids = true;
  /// Of all endpoints; empty: each has its own.
  std::string uid;
  bool has_checks = false;
  EjectionPolicy ejection;
  /// The Cookie field that brings back to the `index`-th ready endpoint.
  [[nodiscard]] std::string cookie(std::size_t index) const {
    const auto key = key_of(*cluster_, *cluster_->ready[index]);
    const std::string set =
        set_cookie("pod", affinity(), affinity_entry(cluster_->affinity_tag, *key), "", false);
    return set.substr(0, set.find(';'));
  }
  [[nodiscard]] AffinityClaim claim(const std::string& cookies,
                                    const v1::Affinity& by = affinity()) const {
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + cookies + "\r\n\r\n";
    http::RequestHead head;
    std::size_t scanned = 0;
    EXPECT_EQ(http::parse_request_head(bytes, scanned, head).state, http::ParseState::kDone);
    Balancing balancing;
    balancing.affinity = by;
    balancing.ejection = ejection;
    return find_claim(head, by.cookie_name(), balancing, *cluster_, clock_.now());
  }
  [[nodiscard]] std::string claimed(const std::string& cookies) const {
    const AffinityClaim found = claim(cookies);
    if (found.pick.endpoint != nullptr) return found.pick.endpoint->text;
    return found.gone ? "gone" : "none";
  }

 private:
  const std::string name_;
  base::FakeClock clock_;
  SnapshotCompiler compiler_{1, clock_};
  Snapshot snapshot_;
  std::shared_ptr<const Cluster> cluster_;
};

TEST(Affinity, NamesTheSameEndpointInEveryProcess) {
  Replica one;
  Replica two;
  one.serve({"10.0.0.1", "10.0.0.2"});
  two.serve({"10.0.0.3", "10.0.0.2", "10.0.0.1"});
  EXPECT_EQ(two.claimed(one.cookie(0)), "10.0.0.1:80");
  EXPECT_EQ(two.claimed(one.cookie(1)), "10.0.0.2:80");
  // An endpoint change, and back.
  one.serve({"10.0.0.2"});
  one.serve({"10.0.0.2", "10.0.0.1"});
  EXPECT_EQ(one.claimed(two.cookie(2)), "10.0.0.1:80");
}

TEST(Affinity, DependsOnSaltPodAndPort) {
  Replica one;
  one.serve({"10.0.0.1"}, "one");
  const std::string cookie = one.cookie(0);
  one.serve({"10.0.0.1"}, "two");
  EXPECT_NE(one.cookie(0), cookie);
  one.serve({"10.0.0.1"}, "one");
  EXPECT_EQ(one.cookie(0), cookie);
  one.port = 81;
  one.serve({"10.0.0.1"}, "one");
  EXPECT_NE(one.cookie(0), cookie);
  one.port = 80;
  one.uid = "another-pod-of-that-address";
  one.serve({"10.0.0.1"}, "one");
  EXPECT_NE(one.cookie(0), cookie);
}

TEST(Affinity, ASetWithoutASaltHasTheSecretOfItsProcess) {
  Replica one;
  Replica two;
  one.has_uids = two.has_uids = false;
  one.serve({"10.0.0.1"}, "");
  two.serve({"10.0.0.1"}, "");
  const std::string cookie = one.cookie(0);
  EXPECT_EQ(two.claimed(cookie), "none") << "who knows the address does not know the cookie";
  EXPECT_NE(two.cookie(0), cookie);
  // As long as the process lives.
  one.serve({"10.0.0.2", "10.0.0.1"}, "");
  EXPECT_EQ(one.claimed(cookie), "10.0.0.1:80");
  one.serve({}, "");
  one.serve({"10.0.0.1"}, "");
  EXPECT_EQ(one.claimed(cookie), "10.0.0.1:80");
  EXPECT_NE(make_salt(), make_salt());
  EXPECT_GE(make_salt().size(), 32U);
}

TEST(Affinity, APodThatIsBeingProbedIsLeftWhereItMayBe) {
  Replica one;
  one.ejection = {.after = 1, .duration = std::chrono::seconds(0)};
  const Cluster& cluster = one.serve({"10.0.0.1", "10.0.0.2"});
  const std::string cookie = one.cookie(0);
  const base::Instant now = base::FakeClock().now();
  EXPECT_TRUE(cluster.ready_members[0].health->count_failure(one.ejection, now, now));
  const AffinityClaim probing = one.claim(cookie);
  EXPECT_EQ(probing.pick.endpoint, cluster.ready[0]);
  EXPECT_EQ(one.claim(cookie).pick.endpoint, nullptr);
  v1::Affinity faithful = affinity();
  faithful.set_fail_when_gone(true);
  EXPECT_EQ(one.claim(cookie, faithful).pick.endpoint, cluster.ready[0]);
}

TEST(Affinity, APodOnItsWayOutIsStillNamed) {
  Replica one;
  one.serve({"10.0.0.1", "10.0.0.2"});
  const std::string cookie = one.cookie(0);
  one.serve({"10.0.0.2"}, "salt", {"10.0.0.1"});
  EXPECT_EQ(one.claimed(cookie), "10.0.0.1:80");
  one.serve({"10.0.0.2"});
  EXPECT_EQ(one.claimed(cookie), "gone");
}

TEST(Affinity, TheFirstCookieThatNamesAnEndpointWins) {
  Replica one;
  one.serve({"10.0.0.1", "10.0.0.2"});
  const std::string gone = one.cookie(0);
  one.serve({"10.0.0.2", "10.0.0.3"});
  EXPECT_EQ(one.claimed(gone + "; " + one.cookie(1) + "; " + one.cookie(0)), "10.0.0.3:80");
  EXPECT_EQ(one.claimed(gone), "gone");
}

TEST(Affinity, CookiesOfOthersSayNothing) {
  Replica one;
  Replica other("default/other/80");
  one.serve({"10.0.0.1"});
  other.serve({"10.0.0.1"});
  EXPECT_EQ(one.claimed(other.cookie(0)), "none");
  const std::string good = one.cookie(0);
  for (const std::string& bad :
       {std::string("pod="), std::string("pod=10.0.0.1"), good + "0", good.substr(0, 43),
        "x" + good, "pod=" + std::string(40, 'g'), "pod=-" + good.substr(5), std::string("a=b")}) {
    EXPECT_EQ(one.claimed(bad), "none") << bad;
  }
}

TEST(Affinity, ClustersShareACookie) {
  Replica one;
  Replica other("default/other/80");
  const std::uint32_t tag = one.serve({"10.0.0.1"}).affinity_tag;
  other.serve({"10.0.0.2"});
  const std::string entry = one.cookie(0).substr(4);
  const std::string others = other.cookie(0).substr(4);
  EXPECT_EQ(one.claimed("pod=" + others + entry), "10.0.0.1:80");
  EXPECT_EQ(other.claimed("pod=" + others + entry), "10.0.0.2:80");
  EXPECT_EQ(one.claimed("pod=" + others + entry + "0"), "none");
  const auto kept = [&](const std::string& cookie) {
    http::RequestHead request;
    request.fields.push_back({"Cookie", cookie});
    return other_entries(request, "pod", tag);
  };
  EXPECT_EQ(kept("a=b"), "");
  EXPECT_EQ(kept("pod=" + entry), "");
  EXPECT_EQ(kept("pod=" + entry + others), others);
  EXPECT_EQ(kept("pod=" + others + "; pod=" + others), others) << "once";
  EXPECT_EQ(kept("pod=" + std::string(40, 'g')), "");
  EXPECT_EQ(kept("pod=" + others + "1"), "");
  // With one of its own they are the most that a cookie has, the newest in front.
  std::string many;
  for (std::uint32_t i = 0; i < kAffinityEntriesMost; ++i) {
    many += affinity_entry(tag + 1 + i, {i, i});
  }
  EXPECT_EQ(kept("pod=" + many), many.substr(0, many.size() / 8 * 7));
  EXPECT_EQ(kept("pod=" + many + others), "");
}

TEST(Affinity, APodThatIsOutIsLeftWhereItMayBe) {
  Replica one;
  const Cluster& cluster = one.serve({"10.0.0.1", "10.0.0.2"});
  const std::string cookie = one.cookie(0);
  const auto set_ill = [&](std::size_t index) {
    cluster.ready_members[index].health->set_fails_checks(true, base::Instant());
  };
  set_ill(0);
  EXPECT_EQ(one.claim(cookie).pick.endpoint, nullptr);
  v1::Affinity faithful = affinity();
  faithful.set_fail_when_gone(true);
  EXPECT_EQ(one.claim(cookie, faithful).pick.endpoint, cluster.ready[0]);
  set_ill(1);
  EXPECT_EQ(one.claim(cookie).pick.endpoint, cluster.ready[0]);
}

TEST(Affinity, ChecksThatNearlyAllFailSendNobodyAway) {
  Replica one;
  one.has_checks = true;
  one.ejection = {.after = 1, .duration = std::chrono::seconds(10)};
  const Cluster& cluster = one.serve({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"});
  const base::Instant now = base::FakeClock().now();
  const auto set_ill = [&](std::size_t index) {
    cluster.ready_members[index].health->set_fails_checks(true, now);
  };
  for (const std::size_t ill : {0, 1, 2}) set_ill(ill);
  EXPECT_EQ(one.claimed(one.cookie(0)), "gone");
  set_ill(3);
  EXPECT_EQ(one.claimed(one.cookie(0)), "10.0.0.1:80") << "one of five passes them";
  // Whom nobody can connect to is left all the same.
  EXPECT_TRUE(cluster.ready_members[0].health->count_failure(one.ejection, now, now));
  EXPECT_TRUE(cluster.ready_members[0].health->eject(one.ejection, now));
  EXPECT_EQ(one.claimed(one.cookie(0)), "gone");
  EXPECT_EQ(one.claimed(one.cookie(1)), "10.0.0.2:80");
}

TEST(Affinity, ACookieHasItsAttributesAndShowsNoAddress) {
  Replica one;
  one.serve({"10.0.0.1"});
  const auto cookie = [&](const v1::Affinity& by, std::string_view matched, bool https) {
    const std::string text =
        set_cookie("pod", by, affinity_entry(0x1234abcd, {1, 0xf}), matched, https);
    const std::string value =
        "pod=1234abcd" + std::string(15, '0') + "1" + std::string(15, '0') + "f";
    EXPECT_EQ(text.substr(0, value.size()), value);
    return text.substr(value.size());
  };
  v1::Affinity by = affinity();
  EXPECT_EQ(cookie(by, "", false), "; Path=/; SameSite=Lax");
  EXPECT_EQ(cookie(by, "/chat", true), "; Path=/chat; SameSite=Lax; Secure");
  EXPECT_EQ(cookie(by, "/a;b", false), "; Path=/; SameSite=Lax");
  by.set_cookie_path("/here");
  by.mutable_cookie_max_age()->set_seconds(3600);
  by.set_cookie_same_site(v1::SAME_SITE_STRICT);
  by.set_cookie_http_only(true);
  EXPECT_EQ(cookie(by, "/chat", false), "; Max-Age=3600; Path=/here; SameSite=Strict; HttpOnly");
  by.set_cookie_secure(v1::SECURE_ALWAYS);
  EXPECT_THAT(cookie(by, "", false), HasSubstr("; Secure"));
  by.set_cookie_secure(v1::SECURE_NEVER);
  EXPECT_THAT(cookie(by, "", true), Not(HasSubstr("; Secure")));
  by.set_cookie_same_site(v1::SAME_SITE_NONE);
  EXPECT_THAT(cookie(by, "", false), HasSubstr("; SameSite=None; Secure"));
  EXPECT_THAT(one.cookie(0), Not(HasSubstr("10.0.0.1")));
}

}  // namespace
}  // namespace holdfast::proxy
