// Goal: what is known of a question outlives the servers that answer it, not the answers; waits are
// bounded at both ends. Method: answers and times are handed in.

#include "dns/lookup.h"

#include <gtest/gtest.h>

#include "dns/limits.h"
#include "tests/support/scripted_dns.h"

namespace holdfast::dns {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr base::Instant kStart{hours(1)};

std::string text(const Lookup& lookup) {
  std::string text;
  for (const base::IpAddress& address : lookup.addresses()) {
    text += (text.empty() ? "" : " ") + base::to_string(address);
  }
  return text;
}

TEST(Lookup, CountsAnAnswerForItsTtlWithinBounds) {
  Lookup lookup(1);
  EXPECT_EQ(lookup.take(addresses({"10.0.0.1"}, seconds(30)), kStart), seconds(30));
  EXPECT_EQ(lookup.take(addresses({"10.0.0.1"}, seconds(0)), kStart), kTtlLeast);
  EXPECT_EQ(lookup.take(addresses({"10.0.0.1"}, hours(24)), kStart), kTtlMost);
  EXPECT_EQ(lookup.take(addresses({"10.0.0.1"}, seconds(1U << 31)), kStart), kTtlMost);
}

TEST(Lookup, SortsSoThatATurnedAnswerIsTheSame) {
  Lookup lookup(1);
  lookup.take(addresses({"10.0.0.2", "10.0.0.1", "10.0.0.2"}, seconds(30)), kStart);
  EXPECT_EQ(text(lookup), "10.0.0.1 10.0.0.2");
}

TEST(Lookup, KeepsItsAddressesWhileNobodyAnswers) {
  Lookup lookup(1);
  lookup.take(addresses({"10.0.0.1"}, seconds(30)), kStart);
  base::Instant now = kStart;
  for (int i = 0; i < 1000; ++i) {
    const base::Duration wait = lookup.take(failed("no answer"), now);
    EXPECT_LE(wait, kRetryMost);
    EXPECT_GE(wait, i > 10 ? kRetryMost / 2 : kRetryFirst / 2);
    now += wait;
  }
  EXPECT_EQ(lookup.state(), Lookup::State::kFailing);
  EXPECT_EQ(lookup.reason(), "no answer");
  EXPECT_EQ(text(lookup), "10.0.0.1");
}

TEST(Lookup, ForgetsTheWaitAfterAnAnswer) {
  Lookup lookup(1);
  for (int i = 0; i < 10; ++i) lookup.take(failed("no answer"), kStart);
  lookup.take(addresses({"10.0.0.1"}, seconds(30)), kStart);
  EXPECT_LE(lookup.take(failed("no answer"), kStart), kRetryFirst);
  EXPECT_EQ(lookup.state(), Lookup::State::kFailing);
}

class LookupDenied : public testing::TestWithParam<Answer::Kind> {};

TEST_P(LookupDenied, EmptiesAfterAWhileWithoutAPause) {
  const Answer nothing{.kind = GetParam()};
  Lookup lookup(1);
  lookup.take(addresses({"10.0.0.1"}, seconds(30)), kStart);
  EXPECT_LE(lookup.take(nothing, kStart), kRetryFirst);
  lookup.take(nothing, kStart + kGonePatience - seconds(1));
  EXPECT_EQ(text(lookup), "10.0.0.1");
  // A server that is away between two denials: nobody knows what was in between.
  lookup.take(failed("no answer"), kStart + kGonePatience);
  lookup.take(nothing, kStart + kGonePatience);
  EXPECT_EQ(text(lookup), "10.0.0.1");
  lookup.take(nothing, kStart + 2 * kGonePatience - seconds(1));
  EXPECT_EQ(text(lookup), "10.0.0.1");
  lookup.take(nothing, kStart + 2 * kGonePatience);
  EXPECT_EQ(text(lookup), "");
  EXPECT_EQ(lookup.state(), Lookup::State::kNothing);
  EXPECT_EQ(lookup.denied(), GetParam() == Answer::Kind::kNoSuchName);
  lookup.take(addresses({"10.0.0.2"}, seconds(30)), kStart + hours(1));
  EXPECT_EQ(text(lookup), "10.0.0.2");
}

INSTANTIATE_TEST_SUITE_P(Kinds, LookupDenied,
                         testing::Values(Answer::Kind::kNoSuchName, Answer::Kind::kNoAddress));

TEST(Lookup, LeavesOutWhatIsRefused) {
  Lookup lookup(1);
  lookup.take(addresses({"127.0.0.1", "10.0.0.1", "169.254.169.254"}, seconds(30)), kStart);
  EXPECT_EQ(text(lookup), "10.0.0.1");
  ASSERT_EQ(lookup.refused().size(), 2U);
  EXPECT_EQ(lookup.refused()[0].second, "loopback");
  // The name leads elsewhere now: what it led to before is not served either.
  lookup.take(addresses({"127.0.0.1"}, seconds(30)), kStart);
  EXPECT_EQ(text(lookup), "");
}

TEST(Lookup, TakesSoManyAddressesAndNotMore) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kAddressesMost; ++i) texts.push_back("10.0.1." + std::to_string(i));
  Lookup lookup(1);
  lookup.take(addresses(texts, seconds(30)), kStart);
  EXPECT_EQ(lookup.addresses().size(), kAddressesMost);
  EXPECT_FALSE(lookup.cut());
  texts.insert(texts.begin(), "10.0.2.0");
  lookup.take(addresses(texts, seconds(30)), kStart);
  EXPECT_EQ(lookup.addresses().size(), kAddressesMost);
  EXPECT_TRUE(lookup.cut());
  EXPECT_EQ(base::to_string(lookup.addresses().front()), "10.0.1.0");
}

}  // namespace
}  // namespace holdfast::dns
