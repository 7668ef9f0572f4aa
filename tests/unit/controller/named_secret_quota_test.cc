// Goal: who may have a Secret followed by name, and who comes next when a place becomes free.

#include "controller/named_secret_quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/limits.h"

namespace holdfast::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

kube::ObjectName in(const std::string& namespace_name, const std::string& name) {
  return {namespace_name, name};
}

TEST(NamedSecretQuota, FirstComeFirstServedUpToTheMost) {
  NamedSecretQuota quota(2);
  EXPECT_TRUE(quota.admit(in("a", "1"), in("a", "i")));
  EXPECT_TRUE(quota.admit(in("b", "1"), in("b", "i")));
  EXPECT_FALSE(quota.admit(in("a", "2"), in("a", "j")));
  EXPECT_TRUE(quota.admit(in("a", "1"), in("a", "k")));
  EXPECT_THAT(quota.take_readmitted(), IsEmpty());
}

TEST(NamedSecretQuota, AsManyComeNextAsThereIsRoomFor) {
  NamedSecretQuota quota(2);
  quota.admit(in("a", "1"), in("a", "i"));
  quota.admit(in("a", "2"), in("a", "i"));
  for (const char* name : {"x", "y", "z"}) EXPECT_FALSE(quota.admit(in("b", name), in("b", name)));
  quota.forget(in("b", "x"));
  quota.release(in("a", "1"));
  EXPECT_THAT(quota.take_readmitted(), ElementsAre(in("b", "y")));
  EXPECT_THAT(quota.take_readmitted(), IsEmpty());
  EXPECT_TRUE(quota.admit(in("b", "y"), in("b", "y")));
  quota.release(in("a", "2"));
  EXPECT_THAT(quota.take_readmitted(), ElementsAre(in("b", "z")));
  // What was never admitted frees nothing.
  EXPECT_TRUE(quota.admit(in("c", "1"), in("c", "i")));
  EXPECT_FALSE(quota.admit(in("c", "2"), in("c", "i")));
  quota.release(in("a", "2"));
  EXPECT_THAT(quota.take_readmitted(), IsEmpty());
}

TEST(NamedSecretQuota, ANamespaceHasItsShare) {
  NamedSecretQuota quota(kNamedSecretsMost);
  for (std::size_t i = 0; i < kNamedSecretsOfANamespace; ++i) {
    EXPECT_TRUE(quota.admit(in("a", std::to_string(i)), in("a", "i")));
  }
  EXPECT_FALSE(quota.admit(in("a", "more"), in("a", "j")));
  EXPECT_TRUE(quota.admit(in("b", "1"), in("b", "i")));
  // Room elsewhere is none here.
  quota.release(in("b", "1"));
  EXPECT_THAT(quota.take_readmitted(), IsEmpty());
  quota.release(in("a", "0"));
  EXPECT_THAT(quota.take_readmitted(), ElementsAre(in("a", "j")));
}

}  // namespace
}  // namespace holdfast::controller
