#include "kube/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace holdfast::kube {
namespace {

std::string json_of(const std::string& text) {
  const base::StatusOr<std::vector<Json>> documents = parse_yaml(text);
  if (!documents.ok()) return "error: " + std::string(documents.status().message());
  std::string result;
  for (const Json& document : *documents) result += (result.empty() ? "" : " ") + document.dump();
  return result;
}

TEST(ParseYaml, TypesPlainScalarsAsTheCoreSchema) {
  const struct {
    const char* yaml;
    const char* json;
  } cases[] = {
      {"80", "80"},
      {"\"80\"", "\"80\""},
      {"'80'", "\"80\""},
      {"-12", "-12"},
      {"+12", "12"},
      {"0o17", "15"},
      {"0x1F", "31"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"1.5", "1.5"},
      {".5", "0.5"},
      {"1e3", "1000.0"},
      {"-1.5E-1", "-0.15"},
      {"1.2.3.4", "\"1.2.3.4\""},
      {"10.0.0.1", "\"10.0.0.1\""},
      {"true", "true"},
      {"FALSE", "false"},
      {"yes", "\"yes\""},
      {"\"true\"", "\"true\""},
      {"- null\n- ~\n-", "[null,null,null]"},
      {"'null'", "\"null\""},
      {"5m", "\"5m\""},
      {"0x", "\"0x\""},
      {"-", "[null]"},
      {"a: .inf", "{\"a\":\".inf\"}"},
      {"1e999", "\"1e999\""},
      {"!!str 80", "\"80\""},
      {"!!int \"80\"", "80"},
      {"|\n  a\n  b\n", "\"a\\nb\\n\""},
      {"12:30", "\"12:30\""},
      {"1_000", "\"1_000\""},
      {"99999999999999999999", "1e+20"},
  };
  for (const auto& c : cases) EXPECT_EQ(json_of(c.yaml), c.json) << c.yaml;
}

TEST(ParseYaml, ReadsSeveralDocumentsAndLeavesOutEmptyOnes) {
  EXPECT_EQ(json_of("---\na: 1\n---\n# nothing\n---\nb: [x, {c: 2}]\n"),
            "{\"a\":1} {\"b\":[\"x\",{\"c\":2}]}");
  EXPECT_EQ(json_of(""), "");
  EXPECT_EQ(json_of("{\"json\": [1, \"2\"]}"), "{\"json\":[1,\"2\"]}");
}

TEST(ParseYaml, FollowsAliasesAndMergeKeys) {
  EXPECT_EQ(json_of("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\n"),
            "{\"a\":{\"p\":1,\"q\":2},\"b\":{\"p\":1,\"q\":2},\"c\":{\"p\":1,\"q\":3}}");
  EXPECT_EQ(json_of("a: {<<: 5}"), "error: line 1: << wants a mapping");
}

TEST(ParseYaml, RefusesCyclesAndBombs) {
  EXPECT_EQ(json_of("a: &x\n  b: *x\n"), "error: line 1: nested too deeply, or an alias of itself");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 9; ++j) bomb += ", " + last;
    bomb += "]\n";
  }
  EXPECT_NE(json_of(bomb).find("too many values"), std::string::npos);
  std::string heavy = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb:\n";
  for (int i = 0; i < 100; ++i) heavy += "- *a\n";
  EXPECT_NE(json_of(heavy).find("too much text"), std::string::npos);
  EXPECT_TRUE(json_of(std::string(10'000, '[')).starts_with("error: "));
}

TEST(ParseYaml, SaysWhereItStumbled) {
  EXPECT_EQ(json_of("a: 1\nb: 2\na: 3\n"), "error: line 3: the key a twice");
  EXPECT_TRUE(json_of("a: 1\nb: [\n").starts_with("error: not YAML: line "));
  EXPECT_EQ(json_of("? [x]\n: 1\n"), "error: line 1: a key that is not a scalar");
  EXPECT_TRUE(json_of("a: *nobody").starts_with("error: not YAML: line 1"));
}

TEST(ParseYaml, MendsWhatIsNotUtf8OrSaysSo) { EXPECT_NE(json_of("a: \"\xff\""), ""); }

}  // namespace
}  // namespace holdfast::kube
