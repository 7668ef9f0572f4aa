// Goal: what transactions say of TLS becomes what handshakes are answered with; a Secret's change
// concerns those that name it; nonsense is refused and changes nothing.

#include "proxy/identity_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/certificates.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;
using testing::ElementsAre;
using testing::IsEmpty;

class IdentityCompilerTest : public testing::Test {
 protected:
  static model::ResourcePtr server(const std::string& host,
                                   const std::vector<std::string>& certificates,
                                   const std::string& bundle = "") {
    v1::Resource resource;
    resource.set_name(host);
    resource.mutable_server_name()->set_host(host);
    for (const std::string& name : certificates) {
      resource.mutable_server_name()->add_certificates(name);
    }
    if (!bundle.empty()) {
      auto* client = resource.mutable_server_name()->mutable_client_certificates();
      client->set_trust_bundle(bundle);
      client->set_depth(1);
    }
    return model::seal(std::move(resource));
  }
  model::ResourcePtr certificate(const std::string& name, bool fits = true) {
    const tls::CertificateText text = authority_.issue({.name = "a.test"});
    v1::Resource resource;
    resource.set_name(name);
    resource.mutable_certificate()->set_chain(text.chain);
    resource.mutable_certificate()->set_private_key(
        fits ? text.key : authority_.issue({.name = "b.test"}).key);
    return model::seal(std::move(resource));
  }
  [[nodiscard]] model::ResourcePtr bundle(const std::string& name) const {
    v1::Resource resource;
    resource.set_name(name);
    resource.mutable_trust_bundle()->set_authorities(authority_.chain());
    return model::seal(std::move(resource));
  }
  /// Compiles and, where nothing is refused, commits; the hosts that change.
  std::vector<std::string> apply(const std::vector<model::ResourcePtr>& upserts,
                                 const std::vector<model::ResourceKey>& removals = {}) {
    refusals_.clear();
    changes_ = compiler_.compile({upserts, removals}, refusals_);
    if (refusals_.empty()) compiler_.commit();
    std::vector<std::string> hosts;
    for (const auto& [host, identity] : changes_) hosts.push_back(host);
    return hosts;
  }

  tls::TestAuthority authority_{"Test Authority"};
  IdentityCompiler compiler_;
  std::vector<model::Refusal> refusals_;
  IdentityChanges changes_;
};

TEST_F(IdentityCompilerTest, ASecretsChangeConcernsThoseThatNameIt) {
  EXPECT_THAT(apply({server("a.test", {"n/a"}), server("b.test", {"n/b"}),
                     server("c.test", {"n/b", "n/a"})}),
              ElementsAre("a.test", "b.test", "c.test"));
  EXPECT_THAT(changes_[0].second->certificates(), IsEmpty());
  EXPECT_THAT(apply({certificate("n/a")}), ElementsAre("a.test", "c.test"));
  EXPECT_EQ(changes_[0].second->certificates().size(), 1u);
  EXPECT_THAT(apply({certificate("n/unknown")}), IsEmpty());
  EXPECT_THAT(apply({server("c.test", {})}), ElementsAre("c.test"));
  EXPECT_THAT(apply({certificate("n/a")}), ElementsAre("a.test"));
  EXPECT_THAT(apply({}, {{v1::KIND_CERTIFICATE, "n/a"}}), ElementsAre("a.test"));
  EXPECT_THAT(changes_[0].second->certificates(), IsEmpty());
  EXPECT_THAT(apply({}, {{v1::KIND_SERVER_NAME, "a.test"}}), ElementsAre("a.test"));
  EXPECT_EQ(changes_[0].second, nullptr);
}

TEST_F(IdentityCompilerTest, AllOfATransactionCounts) {
  EXPECT_THAT(apply({certificate("n/a"), server("a.test", {"n/a"})}), ElementsAre("a.test"));
  EXPECT_EQ(changes_[0].second->certificates().size(), 1u);
}

TEST_F(IdentityCompilerTest, ABrokenSecretIsRefusedAndTheOneBeforeStays) {
  apply({certificate("n/a"), server("a.test", {"n/a"})});
  const std::string before = compiler_.certificates().at("n/a")->facts().fingerprint;
  apply({certificate("n/a", false), server("b.test", {"n/a"})});
  ASSERT_EQ(refusals_.size(), 1u);
  EXPECT_EQ(refusals_[0].key.name, "n/a");
  EXPECT_EQ(refusals_[0].reason, "the private key is not that of the first certificate");
  EXPECT_EQ(compiler_.certificates().at("n/a")->facts().fingerprint, before);
  // And nothing of the refused transaction is left.
  EXPECT_THAT(apply({certificate("n/a")}), ElementsAre("a.test"));
}

TEST_F(IdentityCompilerTest, WithoutItsAuthoritiesAHostLetsNobodyIn) {
  using Ask = tls::ClientPolicy::Ask;
  apply({server("a.test", {}, "n/ca")});
  EXPECT_EQ(changes_[0].second->client().ask, Ask::kRequired);
  EXPECT_EQ(changes_[0].second->client().authorities, nullptr);
  const IdentityPtr closed = changes_[0].second;
  EXPECT_THAT(apply({bundle("n/ca")}), ElementsAre("a.test"));
  EXPECT_NE(changes_[0].second->client().authorities, nullptr);
  EXPECT_TRUE(changes_[0].second->same_as(*closed));
  EXPECT_NE(changes_[0].second->binding(), closed->binding());
  EXPECT_THAT(apply({}, {{v1::KIND_TRUST_BUNDLE, "n/ca"}}), ElementsAre("a.test"));
  EXPECT_EQ(changes_[0].second->client().authorities, nullptr);
}

}  // namespace
}  // namespace holdfast::proxy
