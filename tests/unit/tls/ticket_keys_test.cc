// Goal: processes that share a secret have keys in common at about one time, and others have none.

#include "tls/ticket_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::tls {
namespace {

using testing::Contains;
using testing::Not;
using testing::SizeIs;

const std::string kSecret(kTicketSecretLeast, 's');
const base::WallTime kNoon =
    base::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)) + std::chrono::hours(12);

std::vector<std::string> names(const TicketKeySet& keys) {
  std::vector<std::string> all;
  all.reserve(keys.size());
  for (const TicketKey& key : keys) all.emplace_back(key.name.begin(), key.name.end());
  return all;
}

TEST(DerivedTicketKeys, AreTheSameForAllWithinAPeriod) {
  const TicketKeySet keys = derive_ticket_keys(kSecret, kNoon);
  EXPECT_THAT(keys, SizeIs(kTicketKeysMost));
  const auto later =
      derive_ticket_keys(kSecret, kNoon + kTicketKeyPeriod - std::chrono::seconds(1));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(keys[i].name, later[i].name);
    EXPECT_EQ(keys[i].seal, later[i].seal);
    EXPECT_EQ(keys[i].cipher, later[i].cipher);
    EXPECT_NE(keys[i].seal, keys[i].cipher);
  }
}

TEST(DerivedTicketKeys, OpenWhatClocksAheadAndPeriodsBeforeHaveSealed) {
  const auto now = names(derive_ticket_keys(kSecret, kNoon));
  const auto sealed_with = [](base::WallTime when) {
    return names(derive_ticket_keys(kSecret, when)).front();
  };
  EXPECT_EQ(sealed_with(kNoon), now.front());
  EXPECT_THAT(now, Contains(sealed_with(kNoon + kTicketKeyPeriod)));
  EXPECT_THAT(now, Contains(sealed_with(kNoon - kTicketKeyPeriod)));
  EXPECT_THAT(now, Contains(sealed_with(kNoon - kSessionLifetime)));
  EXPECT_THAT(now, Not(Contains(sealed_with(kNoon + 2 * kTicketKeyPeriod))));
  EXPECT_THAT(now, Not(Contains(sealed_with(kNoon - kSessionLifetime - kTicketKeyPeriod))));
}

TEST(DerivedTicketKeys, AreOthersOfAnotherSecret) {
  const auto ours = names(derive_ticket_keys(kSecret, kNoon));
  const auto theirs = names(derive_ticket_keys(kSecret + "s", kNoon));
  for (const std::string& name : theirs) EXPECT_THAT(ours, Not(Contains(name)));
}

}  // namespace
}  // namespace holdfast::tls
