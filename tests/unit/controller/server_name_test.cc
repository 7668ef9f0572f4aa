// Goal: what spec.tls of Ingresses makes of Secrets: who serves a host with which certificate, what
// stays when a Secret stops making sense, and what its change costs.

#include "controller/server_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/objects.h"
#include "tests/unit/controller/secrets_fixture.h"

namespace holdfast::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using ServerNameTest = SecretsTest;

TEST_F(ServerNameTest, HostsGetTheCertificatesOfTheirEntries) {
  apply({secret("a", "DNS:a.test,DNS:*.b.test"),
         ingress("one", 1, {{.hosts = {"a.test", "*.b.test"}, .secret_name = "a"}}, {"a.test"})});
  EXPECT_THAT(certificates("a.test"), ElementsAre("default/a"));
  EXPECT_THAT(certificates("*.b.test"), ElementsAre("default/a"));
  EXPECT_THAT(problems(), IsEmpty());
  const auto resource = compiler_.find({v1::KIND_CERTIFICATE, "default/a"});
  ASSERT_NE(resource, nullptr);
  EXPECT_EQ(resource->certificate().origin().kind(), "Secret");
}

TEST_F(ServerNameTest, AnEntryWithoutHostsIsForThoseItsCertificateCovers) {
  apply({secret("a", "DNS:a.test"),
         ingress("one", 1, {{.hosts = {}, .secret_name = "a"}}, {"a.test", "b.test"})});
  EXPECT_THAT(certificates("a.test"), ElementsAre("default/a"));
  EXPECT_THAT(certificates("b.test"), ElementsAre("no such name"));
  apply({secret("a", "DNS:b.test")});
  EXPECT_THAT(certificates("a.test"), ElementsAre("no such name"));
  EXPECT_THAT(certificates("b.test"), ElementsAre("default/a"));
}

TEST_F(ServerNameTest, EntriesWithoutHostsAreNotMultiplied) {
  std::vector<std::string> hosts;
  hosts.reserve(3000);
  for (int i = 0; i < 3000; ++i) hosts.push_back("h" + std::to_string(i) + ".test");
  std::vector<kube::IngressTls> entries(20'000);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].secret_name = "s" + std::to_string(i % 4);
  }
  auto service = std::make_shared<kube::Service>();
  service->metadata.name = {"default", "web"};
  service->ports.push_back(service_port("http", 80));
  builder_.upsert(std::shared_ptr<const kube::Service>(service));
  apply({secret("s0", "DNS:h0.test"), secret("s1", "DNS:x"), secret("s2", "DNS:x"),
         secret("s3", "DNS:x"), ingress("poison", 1, entries, hosts)});
  EXPECT_THAT(certificates("h0.test"), ElementsAre("default/s0"));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("more than 10000 hosts and Secrets")));
}

TEST_F(ServerNameTest, OfEachKindOfKeyTheFirstComerServes) {
  apply({secret("ec", "DNS:a.test"), secret("rsa", "DNS:a.test", "RSA"),
         secret("late", "DNS:a.test"),
         ingress("new", 3, {{.hosts = {"a.test"}, .secret_name = "late"}}, {}),
         ingress("old", 1, {{.hosts = {"a.test"}, .secret_name = "ec"}}, {}),
         ingress("other", 2, {{.hosts = {"a.test"}, .secret_name = "rsa"}}, {})});
  EXPECT_THAT(certificates("a.test"), ElementsAre("default/ec", "default/rsa"));
  EXPECT_THAT(problems(),
              ElementsAre("new spec.tls[0].secretName: host \"a.test\" has a certificate of the "
                          "same kind by Secret \"default/ec\" of Ingress default/old, which comes "
                          "first; this one is not served"));
}

TEST_F(ServerNameTest, WithoutASecretTheDefaultOneIsServed) {
  apply({ingress("one", 1, {{.hosts = {"a.test"}, .secret_name = "gone"}}, {"a.test"}),
         ingress("two", 1, {{.hosts = {"b.test"}, .secret_name = ""}}, {"b.test"})});
  // A proxy may hold it from before.
  EXPECT_THAT(certificates("a.test"), ElementsAre("default/gone"));
  EXPECT_EQ(compiler_.find({v1::KIND_CERTIFICATE, "default/gone"}), nullptr);
  EXPECT_THAT(certificates("b.test"), IsEmpty());
  EXPECT_THAT(problems(),
              ElementsAre("one spec.tls[0].secretName: there is no Secret \"gone\" of type "
                          "kubernetes.io/tls in the namespace; host \"a.test\" is served with the "
                          "default certificate"));
}

TEST_F(ServerNameTest, ASecretThatStopsMakingSenseLeavesWhatItWas) {
  const tls::CertificateText good = authority_.issue({.name = "a", .alternatives = "DNS:a.test"});
  const tls::CertificateText other = authority_.issue({.name = "a", .alternatives = "DNS:a.test"});
  apply({secret("a", good),
         ingress("one", 1, {{.hosts = {"a.test"}, .secret_name = "a"}}, {"a.test"})});
  const auto before = compiler_.find({v1::KIND_CERTIFICATE, "default/a"});
  for (const tls::CertificateText& broken :
       {tls::CertificateText{good.chain, other.key}, {"garbage", good.key}, {"", ""}}) {
    EXPECT_THAT(upserts(apply({secret("a", broken)})), IsEmpty());
    EXPECT_EQ(compiler_.find({v1::KIND_CERTIFICATE, "default/a"}), before);
    ASSERT_EQ(problems().size(), 1u);
    EXPECT_THAT(problems()[0], HasSubstr("is served with the certificate that it held before"));
    EXPECT_THAT(problems()[0], testing::Not(HasSubstr("BEGIN")));
  }
  EXPECT_THAT(upserts(apply({secret("a", other)})), ElementsAre("Certificate default/a"));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(ServerNameTest, ACertificateForAnotherHostIsServedAndSaid) {
  apply({secret("a", "DNS:b.test"),
         ingress("one", 1, {{.hosts = {"a.test"}, .secret_name = "a"}}, {"a.test"})});
  EXPECT_THAT(certificates("a.test"), ElementsAre("default/a"));
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("is not for host \"a.test\"")));
}

TEST_F(ServerNameTest, AChangedSecretIsOneResource) {
  apply({secret("a", "DNS:a.test"), secret("unused", "DNS:a.test"),
         ingress("one", 1, {{.hosts = {"a.test"}, .secret_name = "a"}}, {"a.test"}),
         ingress("two", 1, {{.hosts = {"b.test"}, .secret_name = "a"}}, {"b.test"})});
  const Update update = apply({secret("a", "DNS:a.test")});
  EXPECT_THAT(upserts(update), ElementsAre("Certificate default/a"));
  EXPECT_EQ(update.work, (Update::Work{.names = 2, .secrets = 1}));
  EXPECT_EQ(apply({secret("unused", "DNS:a.test")}).work, Update::Work());
  EXPECT_EQ(compiler_.find({v1::KIND_CERTIFICATE, "default/unused"}), nullptr);
}

TEST_F(ServerNameTest, HostsWithTlsSendPlainRequestsToHttps) {
  apply({ingress("one", 1, {{.hosts = {"a.test", "*.b.test"}, .secret_name = ""}},
                 {"a.test", "x.b.test", "c.test"}),
         ingress("two", 1, {}, {"d.test"}, {{"holdfast.dev/force-ssl-redirect", "true"}}),
         ingress("three", 1, {{.hosts = {"e.test"}, .secret_name = ""}}, {"e.test"},
                 {{"holdfast.dev/ssl-redirect", "false"}})});
  EXPECT_TRUE(redirects("a.test"));
  EXPECT_TRUE(redirects("x.b.test"));
  EXPECT_FALSE(redirects("c.test"));
  EXPECT_TRUE(redirects("d.test"));
  EXPECT_FALSE(redirects("e.test"));
  apply({ingress("one", 1, {}, {"a.test", "x.b.test", "c.test"})});
  EXPECT_FALSE(redirects("a.test"));
  EXPECT_FALSE(redirects("x.b.test"));
}

TEST_F(ServerNameTest, StrictTransportSecurity) {
  apply({ingress(
      "one", 1, {}, {"a.test"},
      {{"holdfast.dev/hsts-max-age", "1h"}, {"holdfast.dev/hsts-include-subdomains", "true"}})});
  const auto resource = compiler_.find({v1::KIND_VIRTUAL_HOST, "a.test"});
  EXPECT_EQ(resource->virtual_host().policies(0).strict_transport_security(),
            "max-age=3600; includeSubDomains");
}

}  // namespace
}  // namespace holdfast::controller
