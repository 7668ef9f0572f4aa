// Goal: a traceparent is passed on or replaced exactly as W3C Trace Context, section 3.2, says.

#include "http/traceparent.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::http {
namespace {

constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kParent = "00f067aa0ba902b7";

std::string of(std::string_view version, std::string_view trace, std::string_view parent,
               std::string_view rest) {
  std::string text(version);
  return text.append("-").append(trace).append("-").append(parent).append("-").append(rest);
}

std::string_view read(const std::string& value) {
  Head head;
  head.fields = {{"Traceparent", value}};
  return trace_id(head);
}

TEST(Traceparent, AValidOneHasItsTrace) {
  EXPECT_EQ(read(of("00", kTrace, kParent, "01")), kTrace);
  EXPECT_EQ(read(of("00", kTrace, kParent, "00")), kTrace);
  // Later versions may have more.
  EXPECT_EQ(read(of("cc", kTrace, kParent, "01")), kTrace);
  EXPECT_EQ(read(of("cc", kTrace, kParent, "01-what-comes-later")), kTrace);
}

TEST(Traceparent, AnythingElseIsNone) {
  for (const std::string& value : {
           std::string(),
           of("ff", kTrace, kParent, "01"),
           of("00", kTrace, kParent, "01-more"),
           of("cc", kTrace, kParent, "01more"),
           of("00", kTrace, kParent, "0"),
           of("00", kTrace, kParent, "0x"),
           of("0", kTrace, kParent, "001"),
           of("00", std::string(32, '0'), kParent, "01"),
           of("00", kTrace, std::string(16, '0'), "01"),
           of("00", "4BF92F3577B34DA6A3CE929D0E0E4736", kParent, "01"),
           "00_" + std::string(kTrace) + "-" + std::string(kParent) + "-01",
       }) {
    EXPECT_EQ(read(value), "") << value;
  }
}

TEST(Traceparent, TwoAreNone) {
  const std::string value = of("00", kTrace, kParent, "01");
  Head head;
  head.fields = {{"traceparent", value}, {"traceparent", value}};
  EXPECT_EQ(trace_id(head), "");
  head.fields.clear();
  EXPECT_EQ(trace_id(head), "");
}

TEST(Traceparent, ANewOneIsValidAndSampled) {
  const std::string made = make_traceparent(kTrace, 0x00f067aa0ba902b7);
  EXPECT_EQ(made, of("00", kTrace, kParent, "01"));
  EXPECT_EQ(read(made), kTrace);
}

}  // namespace
}  // namespace holdfast::http
