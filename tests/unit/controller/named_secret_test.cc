// Goal: what Secrets that annotations name make of clients' certificates and of TLS to pods: who
// decides, what stays when a Secret stops making sense, and that nobody is trusted by mistake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/objects.h"
#include "tests/unit/controller/secrets_fixture.h"

namespace holdfast::controller {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class NamedSecretTest : public SecretsTest {
 protected:
  using Annotations = std::map<std::string, std::string>;

  static kube::Object named(const std::string& name, const std::string& authorities,
                            const tls::CertificateText& own = {}) {
    auto object = std::make_shared<kube::NamedSecret>();
    object->metadata.name = {"default", name};
    object->type = "Opaque";
    object->authorities = authorities;
    object->chain = own.chain;
    object->private_key = own.key;
    return std::shared_ptr<const kube::NamedSecret>(std::move(object));
  }
  static kube::Object service(const std::string& app_protocol) {
    auto object = std::make_shared<kube::Service>();
    object->metadata.name = {"default", "web"};
    object->ports.push_back(service_port("http", 80));
    object->ports.back().app_protocol = app_protocol;
    return std::shared_ptr<const kube::Service>(std::move(object));
  }
  static kube::Object asking(const std::string& name, int day, const std::string& host,
                             Annotations annotations) {
    return ingress(name, day, {}, {host}, std::move(annotations));
  }
  [[nodiscard]] std::string clients(const std::string& host) const {
    const auto resource = compiler_.find({v1::KIND_SERVER_NAME, host});
    if (resource == nullptr) return "no such name";
    const v1::ServerName& server = resource->server_name();
    if (!server.has_client_certificates()) return "anybody";
    const v1::ClientCertificates& client = server.client_certificates();
    return client.trust_bundle() + " " + std::to_string(client.depth()) +
           (client.optional() ? " optional" : "") + (client.forwarded() ? " forwarded" : "");
  }
  [[nodiscard]] std::string upstream() const {
    const auto resource = compiler_.find({v1::KIND_CLUSTER, "default/web/80"});
    if (!resource->cluster().has_tls()) return "plain";
    const v1::UpstreamTls& tls = resource->cluster().tls();
    return tls.server_name() + "|" + tls.trust_bundle() + "|" + tls.certificate() +
           (tls.unverified() ? "|anybody" : "");
  }
  [[nodiscard]] bool has(v1::Kind kind, const std::string& name) const {
    return compiler_.find({kind, name}) != nullptr;
  }

  const std::string roots_ = authority_.chain();
};

TEST_F(NamedSecretTest, ClientsAreHeldToTheAuthoritiesThatAnIngressNames) {
  apply({named("roots", roots_),
         asking("one", 1, "a.test",
                {{"holdfast.dev/client-ca-secret", "roots"},
                 {"holdfast.dev/client-certificate", "optional"},
                 {"holdfast.dev/client-certificate-depth", "3"},
                 {"holdfast.dev/client-certificate-to-pod", "true"}}),
         asking("two", 1, "b.test", {{"holdfast.dev/client-ca-secret", "default/roots"}}),
         asking("three", 1, "c.test", {})});
  EXPECT_EQ(clients("a.test"), "default/roots 3 optional forwarded");
  EXPECT_EQ(clients("b.test"), "default/roots 1");
  EXPECT_EQ(clients("c.test"), "no such name");
  EXPECT_THAT(certificates("a.test"), IsEmpty());
  EXPECT_TRUE(has(v1::KIND_TRUST_BUNDLE, "default/roots"));
  EXPECT_THAT(problems(), IsEmpty());
  // Who came without TLS has shown no certificate.
  EXPECT_TRUE(redirects("a.test"));
  EXPECT_FALSE(redirects("c.test"));
  EXPECT_THAT(compiler_.named_secrets(), ElementsAre(kube::ObjectName{"default", "roots"}));
  apply({asking("one", 1, "a.test", {}), asking("two", 1, "b.test", {})});
  EXPECT_EQ(clients("a.test"), "no such name");
  EXPECT_FALSE(has(v1::KIND_TRUST_BUNDLE, "default/roots"));
  EXPECT_THAT(compiler_.named_secrets(), IsEmpty());
}

TEST_F(NamedSecretTest, NobodyIsLetInForASecretThatIsNotThere) {
  const auto with = [&](const std::string& text) {
    apply({asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", text}})});
    return clients("a.test");
  };
  EXPECT_EQ(with("gone"), "default/gone 1");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("nobody is let in to host \"a.test\" over TLS")));
  EXPECT_EQ(with("other/roots"), "default/- 1");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("of another namespace")));
  EXPECT_EQ(with("Not A Name"), "default/- 1");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("nobody is let in over TLS")));
  apply({named("empty", "", authority_.issue({.name = "a"}))});
  EXPECT_EQ(with("empty"), "default/empty 1");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("has no ca.crt; nobody is let in")));
  EXPECT_EQ(with("none"), "no such name");
  for (const auto& resource : compiler_.resources()) {
    EXPECT_NE(model::key_of(*resource).kind, v1::KIND_TRUST_BUNDLE);
  }
}

TEST_F(NamedSecretTest, WhatASecretHeldStays) {
  apply({named("roots", roots_),
         asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "roots"}})});
  const auto before = compiler_.find({v1::KIND_TRUST_BUNDLE, "default/roots"});
  for (const std::string& broken : {std::string("garbage"), std::string()}) {
    EXPECT_THAT(upserts(apply({named("roots", broken)})), IsEmpty());
    EXPECT_EQ(compiler_.find({v1::KIND_TRUST_BUNDLE, "default/roots"}), before);
    EXPECT_THAT(problems(), ElementsAre(HasSubstr("are held to what it held before")));
  }
  const Update gone = compiler_.update(
      builder_.world(), builder_.remove(kube::Kind::kNamedSecret, {"default", "roots"}));
  EXPECT_THAT(upserts(gone), IsEmpty());
  EXPECT_THAT(gone.transaction.removals, IsEmpty());
  tls::TestAuthority other("Another Authority");
  EXPECT_THAT(upserts(apply({named("roots", other.chain())})),
              ElementsAre("TrustBundle default/roots"));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(NamedSecretTest, TheOldestWhoAsksSaysWhoClientsMustBe) {
  apply({named("roots", roots_), asking("oldest", 1, "a.test", {}),
         asking("young", 3, "a.test", {{"holdfast.dev/client-ca-secret", "gone"}}),
         asking("old", 2, "a.test", {{"holdfast.dev/client-ca-secret", "roots"}})});
  EXPECT_EQ(clients("a.test"), "default/roots 1");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("young metadata.annotations")));
}

TEST_F(NamedSecretTest, AnEntryThatCoversNothingStillAsksForCertificates) {
  apply({named("roots", roots_), secret("other", "DNS:elsewhere.test"),
         ingress("one", 1, {{.hosts = {}, .secret_name = "other"}}, {"a.test"},
                 {{"holdfast.dev/client-ca-secret", "roots"}})});
  EXPECT_EQ(clients("a.test"), "default/roots 1");
}

TEST_F(NamedSecretTest, PodsAreSpokenToAsTheServiceOrTheIngressSays) {
  const auto with = [&](const std::string& app_protocol, Annotations annotations) {
    apply({service(app_protocol), asking("one", 1, "a.test", std::move(annotations))});
    return upstream();
  };
  EXPECT_EQ(with("", {}), "plain");
  EXPECT_EQ(with("http", {}), "plain");
  EXPECT_EQ(with("kubernetes.io/ws", {}), "plain");
  EXPECT_EQ(with("https", {}), "web.default.svc||");
  EXPECT_EQ(with("kubernetes.io/wss", {}), "web.default.svc||");
  EXPECT_EQ(with("https", {{"holdfast.dev/backend-protocol", "HTTP"}}), "plain");
  EXPECT_EQ(with("", {{"holdfast.dev/backend-protocol", "HTTPS"}}), "web.default.svc||");
  EXPECT_EQ(with("https", {{"holdfast.dev/backend-protocol", "auto"}}), "web.default.svc||");
  EXPECT_EQ(with("https", {{"holdfast.dev/upstream-tls-name", "Pods.Example.COM"}}),
            "pods.example.com||");
  EXPECT_EQ(with("https", {{"holdfast.dev/upstream-tls-verify", "false"}}),
            "web.default.svc|||anybody");
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_EQ(with("https", {{"holdfast.dev/upstream-tls-name", "*.example.com"}}),
            "web.default.svc||");
  EXPECT_THAT(problems(), SizeIs(1));
}

TEST_F(NamedSecretTest, PodsAreHeldToWhatASecretHolds) {
  const tls::CertificateText own = authority_.issue({.name = "holdfast"});
  const Annotations annotations{{"holdfast.dev/upstream-tls-secret", "pods"}};
  apply({service("https"), asking("one", 1, "a.test", annotations)});
  EXPECT_EQ(upstream(), "web.default.svc|default/pods|") << "nobody is trusted";
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("no pod of Service \"web\" is trusted")));

  EXPECT_THAT(upserts(apply({named("pods", roots_)})), ElementsAre("TrustBundle default/pods"));
  EXPECT_EQ(upstream(), "web.default.svc|default/pods|");
  EXPECT_THAT(problems(), IsEmpty());

  EXPECT_THAT(upserts(apply({named("pods", roots_, own)})),
              UnorderedElementsAre("Certificate default/pods@client", "Cluster default/web/80"));
  EXPECT_EQ(upstream(), "web.default.svc|default/pods|default/pods@client");

  const tls::CertificateText other = authority_.issue({.name = "other"});
  EXPECT_THAT(upserts(apply({named("pods", roots_, {own.chain, other.key})})), IsEmpty());
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("what it held before is shown to pods")));

  // Whoever only wants its authorities needs no key.
  apply({asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "pods"}})});
  EXPECT_TRUE(has(v1::KIND_TRUST_BUNDLE, "default/pods"));
  EXPECT_FALSE(has(v1::KIND_CERTIFICATE, "default/pods@client"));
}

TEST_F(NamedSecretTest, ACertificateAloneLeavesTheMachinesAuthorities) {
  apply({named("own", "", authority_.issue({.name = "holdfast"})), service("https"),
         asking("one", 1, "a.test", {{"holdfast.dev/upstream-tls-secret", "own"}})});
  EXPECT_EQ(upstream(), "web.default.svc||default/own@client");
}

TEST_F(NamedSecretTest, TheOldestSaysHowPodsAreSpokenTo) {
  apply({service(""), asking("silent", 1, "a.test", {}),
         asking("old", 2, "b.test", {{"holdfast.dev/backend-protocol", "HTTPS"}}),
         asking("young", 3, "c.test", {{"holdfast.dev/backend-protocol", "HTTP"}})});
  EXPECT_EQ(upstream(), "web.default.svc||");
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("young metadata.annotations")));
}

TEST_F(NamedSecretTest, TheDefaultCertificateIsForWhoeverHasNone) {
  IncrementalCompiler compiler({.default_certificate = kube::ObjectName{"default", "wildcard"}});
  Change change = builder_.upsert(secret("wildcard", "DNS:*.example.com"));
  change.merge(builder_.upsert(ingress("one", 1, {}, {""})));
  compiler.update(builder_.world(), change);
  const auto everybody = compiler.find({v1::KIND_SERVER_NAME, "*"});
  ASSERT_NE(everybody, nullptr);
  EXPECT_THAT(everybody->server_name().certificates(), ElementsAre("default/wildcard"));
  EXPECT_TRUE(compiler.problems().empty() ||
              compiler.problems()[0].field.starts_with("spec.rules"));
  // It is no reason to send anybody to https.
  const auto host = compiler.find({v1::KIND_VIRTUAL_HOST, "*"});
  EXPECT_FALSE(host->virtual_host().policies(0).https_redirect());
}

TEST_F(NamedSecretTest, AnIngressStaysWhatItWasUntilTheSecretThatItNamesIsAnswered) {
  std::set<kube::ObjectName> awaited{{"default", "slow"}};
  IncrementalCompiler compiler(
      {}, [&](const kube::ObjectName& secret) { return awaited.contains(secret); });
  const auto apply_to = [&](const std::vector<kube::Object>& objects, Change change = {}) {
    for (const kube::Object& object : objects) change.merge(builder_.upsert(object));
    return upserts(compiler.update(builder_.world(), change));
  };
  const auto bundle_of = [&] {
    const auto resource = compiler.find({v1::KIND_SERVER_NAME, "a.test"});
    return resource->server_name().client_certificates().trust_bundle();
  };
  apply_to({named("roots", roots_),
            asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "roots"}})});
  EXPECT_EQ(bundle_of(), "default/roots");
  EXPECT_THAT(apply_to({asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "slow"}})}),
              IsEmpty());
  EXPECT_EQ(bundle_of(), "default/roots");
  EXPECT_THAT(compiler.named_secrets(), UnorderedElementsAre(kube::ObjectName{"default", "roots"},
                                                             kube::ObjectName{"default", "slow"}));
  EXPECT_THAT(compiler.problems(), Each(Field(&Problem::field, HasSubstr("spec.rules"))));
  awaited.clear();
  Change answer = builder_.upsert(named("slow", roots_));
  EXPECT_THAT(apply_to({}, answer), Contains("TrustBundle default/slow"));
  EXPECT_EQ(bundle_of(), "default/slow");
  EXPECT_THAT(compiler.named_secrets(), ElementsAre(kube::ObjectName{"default", "slow"}));
}

TEST_F(NamedSecretTest, OneNamespaceCannotHaveMoreSecretsFollowedThanItsShare) {
  const auto asks_for = [](std::size_t number) {
    const std::string name = std::to_string(100 + number);
    return asking("i-" + name, 1, "h-" + name + ".test",
                  {{"holdfast.dev/client-ca-secret", "s-" + name}});
  };
  for (std::size_t i = 0; i < kNamedSecretsOfANamespace; ++i) apply({asks_for(i)});
  EXPECT_THAT(compiler_.named_secrets(), SizeIs(kNamedSecretsOfANamespace));
  EXPECT_THAT(problems(), testing::Not(Contains(HasSubstr("Ingresses name more"))));
  apply({asks_for(kNamedSecretsOfANamespace)});
  EXPECT_THAT(compiler_.named_secrets(), SizeIs(kNamedSecretsOfANamespace));
  const std::string refused = "h-" + std::to_string(100 + kNamedSecretsOfANamespace) + ".test";
  EXPECT_EQ(clients(refused), "default/- 1");
  EXPECT_THAT(problems(), Contains(HasSubstr("Ingresses name more than 128 Secrets")));
  // Another one that names what is followed anyway is no cost.
  apply({asking("also", 1, "also.test", {{"holdfast.dev/client-ca-secret", "s-100"}})});
  EXPECT_EQ(clients("also.test"), "default/s-100 1");
  // Whose place becomes free is taken by who was refused.
  apply({asking("i-101", 1, "h-101.test", {})});
  EXPECT_EQ(clients(refused),
            "default/s-" + std::to_string(100 + kNamedSecretsOfANamespace) + " 1");
  EXPECT_THAT(compiler_.named_secrets(), SizeIs(kNamedSecretsOfANamespace));
  EXPECT_THAT(problems(), testing::Not(Contains(HasSubstr("Ingresses name more"))));
}

TEST_F(NamedSecretTest, WhatAConfigMapSaysIsNoFieldOfTheIngress) {
  Options options;
  options.defaults_config_map = kube::ObjectName{"default", "defaults"};
  IncrementalCompiler compiler(options);
  auto defaults = std::make_shared<kube::ConfigMap>();
  defaults->metadata.name = {"default", "defaults"};
  defaults->data = {{"client-ca-secret", "default/roots"},
                    {"upstream-tls-secret", "default/pods"},
                    {"backend-protocol", "HTTPS"}};
  Change change = builder_.upsert(std::shared_ptr<const kube::ConfigMap>(std::move(defaults)));
  change.merge(builder_.upsert(asking("one", 1, "a.test", {})));
  compiler.update(builder_.world(), change);
  std::vector<std::string> said;
  for (const Problem& problem : compiler.problems()) {
    if (problem.field.empty()) said.push_back(problem.message);
  }
  EXPECT_THAT(said,
              UnorderedElementsAre(
                  testing::StartsWith("client-ca-secret of ConfigMap \"default/defaults\": "),
                  testing::StartsWith("upstream-tls-secret of ConfigMap \"default/defaults\": ")));
}

TEST_F(NamedSecretTest, OnePartThatIsWrongSaysNothingOfTheOther) {
  const tls::CertificateText own = authority_.issue({.name = "holdfast"});
  const tls::CertificateText other = authority_.issue({.name = "other"});
  apply({service("https"), named("both", roots_, {own.chain, other.key}),
         asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "both"}}),
         asking("two", 1, "b.test", {{"holdfast.dev/upstream-tls-secret", "both"}})});
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("pods are shown no certificate")));
  EXPECT_EQ(upstream(), "web.default.svc|default/both|");
}

TEST_F(NamedSecretTest, AnIngressThatComesCostsNobodyElseItsSecret) {
  apply({named("roots", roots_), secret("web", "DNS:a.test,DNS:b.test,DNS:c.test")});
  const auto with = [&](const std::string& name) {
    return apply({ingress(name, 1, {{.hosts = {name + ".test"}, .secret_name = "web"}},
                          {name + ".test"}, {{"holdfast.dev/client-ca-secret", "roots"}})})
        .work;
  };
  for (const char* name : {"a", "b", "c", "d", "e"}) EXPECT_EQ(with(name).names, 1U) << name;
}

TEST_F(NamedSecretTest, AChangeOfAuthoritiesIsOneResource) {
  apply({named("roots", roots_), named("unused", roots_),
         asking("one", 1, "a.test", {{"holdfast.dev/client-ca-secret", "roots"}}),
         asking("two", 1, "b.test", {{"holdfast.dev/client-ca-secret", "roots"}})});
  tls::TestAuthority other("Another Authority");
  const Update update = apply({named("roots", other.chain())});
  EXPECT_THAT(upserts(update), ElementsAre("TrustBundle default/roots"));
  EXPECT_EQ(update.work, (Update::Work{.names = 2, .secrets = 1}));
  EXPECT_EQ(apply({named("unused", other.chain())}).work, Update::Work());
}

}  // namespace
}  // namespace holdfast::controller
