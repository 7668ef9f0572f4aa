// Goal: a problem appears when its first source finds it and goes with the last; of one object only
// so many are listed, whoever found them. Method: sources by hand.

#include "controller/problem_ledger.h"

#include <gtest/gtest.h>

#include "controller/limits.h"

namespace holdfast::controller {
namespace {

Problem problem(const std::string& field, const std::string& object = "web") {
  return {"Ingress", {"default", object}, field, Severity::kError, "it is wrong"};
}

TEST(ProblemLedger, AProblemGoesWithItsLastSource) {
  ProblemLedger ledger;
  ProblemLedger::Findings first;
  ProblemLedger::Findings second;
  ledger.replace(first, {problem("a")});
  EXPECT_EQ(ledger.take_changes().appeared, std::vector{problem("a")});
  ledger.replace(second, {problem("a"), problem("a")});
  EXPECT_TRUE(ledger.take_changes().appeared.empty());
  ledger.replace(first, {});
  EXPECT_TRUE(ledger.take_changes().gone.empty());
  EXPECT_EQ(ledger.listed(), std::vector{problem("a")});
  ledger.replace(second, {problem("b")});
  const auto [appeared, gone] = ledger.take_changes();
  EXPECT_EQ(appeared, std::vector{problem("b")});
  EXPECT_EQ(gone, std::vector{problem("a")});
}

TEST(ProblemLedger, WhatComesAndGoesBetweenLooksIsNotTold) {
  ProblemLedger ledger;
  ProblemLedger::Findings source;
  ledger.replace(source, {problem("a")});
  ledger.take_changes();
  ledger.replace(source, {problem("b")});
  ledger.replace(source, {problem("a")});
  const auto [appeared, gone] = ledger.take_changes();
  EXPECT_TRUE(appeared.empty());
  EXPECT_TRUE(gone.empty());
}

TEST(ProblemLedger, OfOneObjectOnlySoManyAreListed) {
  ProblemLedger ledger;
  ProblemLedger::Findings first;
  ProblemLedger::Findings second;
  std::vector<Problem> many;
  for (std::size_t i = 0; i < kProblemsPerObject; ++i) {
    many.push_back(problem(std::string(i + 1, 'x')));
  }
  ledger.replace(first, many);
  EXPECT_EQ(ledger.listed(), many);
  ledger.take_changes();
  ledger.replace(second, {problem("y"), problem("z"), problem("z", "other")});
  const auto [appeared, gone] = ledger.take_changes();
  ASSERT_EQ(appeared.size(), 2U);
  EXPECT_EQ(appeared[0], problem("z", "other"));
  EXPECT_EQ(appeared[1].message, "2 more problems of this object are not listed");
  EXPECT_TRUE(gone.empty());
  const std::vector<Problem> listed = ledger.listed();
  ASSERT_EQ(listed.size(), kProblemsPerObject + 2);
  EXPECT_EQ(listed[1].field, "");
}

}  // namespace
}  // namespace holdfast::controller
