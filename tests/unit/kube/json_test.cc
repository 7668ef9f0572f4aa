// Goal: a JSON text becomes its value, but for what is left out and handed out, whatever its shape.

#include "kube/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/limits.h"

namespace holdfast::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string read(const std::string& text) {
  const auto value = parse_json(text);
  return value.ok() ? value->dump() : std::string(value.status().message());
}

TEST(ParseJson, IsTheValue) {
  for (const char* text :
       {"null", "true", "-7", "18446744073709551615", "1.5", "\"a\\u00e4\\n\"", "[]", "{}",
        R"([1,[2,[],{}],{"a":{"b":[null,false]},"c":""}])", R"({"":{"":0}})"}) {
    EXPECT_EQ(read(text), nlohmann::json::parse(text).dump()) << text;
  }
  EXPECT_EQ(read(R"({"a":1,"a":[2]})"), R"({"a":[2]})") << "the last of a name counts";
}

TEST(ParseJson, LeavesOutManagedFields) {
  EXPECT_EQ(read(R"({"a":1,"managedFields":[{"b":{"managedFields":3}},[]],"c":2})"),
            R"({"a":1,"c":2})");
  EXPECT_EQ(read(R"({"managedFields":7,"d":{"managedFields":{},"e":"managedFields"}})"),
            R"({"d":{"e":"managedFields"}})");
}

TEST(ParseJson, SaysWhereItIsNone) {
  EXPECT_EQ(read("[1,2"), "not JSON, byte 5 of 4");
  EXPECT_EQ(read("{} x"), "not JSON, byte 4 of 4");
  EXPECT_THAT(read(""), HasSubstr("not JSON"));
  EXPECT_THAT(read("1e999"), HasSubstr("not JSON"));
  const std::string most(kNesting, '[');
  EXPECT_THAT(read(most + std::string(kNesting, ']')), HasSubstr("[[["));
  EXPECT_EQ(read("[" + most), "nested too deeply");
}

TEST(ParseJson, HandsItemsOut) {
  std::vector<std::string> items;
  const ItemVisitor visit = [&](const Json& item) {
    items.push_back(item.dump());
    return item.contains("bad") ? absl::InvalidArgumentError("a bad one") : absl::OkStatus();
  };
  const auto rest = parse_json(R"({"kind":"List","x":{"items":[1]},"items":[{"a":[{}]},)"
                               R"({"managedFields":[],"b":{"items":[2]}}],"y":[3]})",
                               visit);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest->dump(), R"({"items":[],"kind":"List","x":{"items":[1]},"y":[3]})");
  EXPECT_THAT(items, ElementsAre(R"({"a":[{}]})", R"({"b":{"items":[2]}})"));
  for (const char* wrong : {"7", "[]", "null", "\"x\""}) {
    EXPECT_EQ(parse_json(R"({"items":[{},)" + std::string(wrong) + "]}", visit).status().message(),
              "items: expected objects");
  }
  EXPECT_EQ(parse_json(R"({"items":[{"bad":1},{}]})", visit).status().message(), "a bad one");
  EXPECT_EQ(parse_json(R"({"items":{"a":[{}]}})", visit)->dump(), R"({"items":{"a":[{}]}})");
}

TEST(ParseJson, HalfAMillionElementsAreNothingSpecial) {
  constexpr int kElements = 500'000;
  std::string text = "[";
  for (int i = 0; i < kElements; ++i) text += "{},";
  text += "{}]";
  const auto value = parse_json(text);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->size(), kElements + 1U);
}

}  // namespace
}  // namespace holdfast::kube
