// Goal: the README's table of annotations is what the code declares. Method: the table is made of
// the declarations and compared with what stands between two marks of the README; GOLDEN_REWRITE=1
// writes it anew.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "controller/annotations.h"

namespace holdfast::controller {
namespace {

constexpr std::string_view kBegin = "<!-- annotations: begin -->\n";
constexpr std::string_view kEnd = "<!-- annotations: end -->\n";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string row_of(const Annotation& annotation) {
  std::string row = "| `" + std::string(annotation.name) + "` | " + annotation.type() + " | " +
                    escaped(annotation.range()) + " | " + escaped(annotation.default_text) + " | " +
                    (annotation.scope == Scope::kEverywhere ? "yes" : "") + " | " +
                    escaped(annotation.summary);
  if (annotation.applies == Applies::kOpenConnections) row += " Applies to open ones at once.";
  if (!annotation.when_wrong.empty()) {
    row += " When wrong: " + escaped(annotation.when_wrong) + ".";
  }
  return row + " |\n";
}

std::string table() {
  std::string text = "| holdfast.dev/ | type | values | default | sidecar flag | |\n";
  text += "| --- | --- | --- | --- | --- | --- |\n";
  for (const Annotation& annotation : annotations()) text += row_of(annotation);
  return text;
}

std::string contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(AnnotationDocuments, ReadmeListsWhatIsDeclared) {
  const std::string readme = contents(HOLDFAST_README);
  const std::size_t begin = readme.find(kBegin);
  const std::size_t end = readme.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << kBegin;
  ASSERT_NE(end, std::string::npos) << kEnd;
  const std::size_t first = begin + kBegin.size();
  ASSERT_LE(first, end);
  if (std::getenv("GOLDEN_REWRITE") != nullptr) {
    std::ofstream(HOLDFAST_README) << readme.substr(0, first) << table() << readme.substr(end);
    return;
  }
  EXPECT_EQ(readme.substr(first, end - first), table()) << "GOLDEN_REWRITE=1 writes the table";
}

TEST(AnnotationDocuments, EveryAnnotationSaysWhatItIs) {
  for (const Annotation& annotation : annotations()) {
    EXPECT_FALSE(annotation.range().empty()) << annotation.name;
    EXPECT_FALSE(annotation.default_text.empty()) << annotation.name;
    EXPECT_TRUE(annotation.summary.ends_with('.')) << annotation.name;
    EXPECT_FALSE(annotation.when_wrong.ends_with('.')) << annotation.name;
  }
}

/// What says of a default what it does, and is no value that could be written.
const std::set<std::string_view> kDescribed = {
    "affinity-cookie-max-age", "affinity-cookie-path", "allow-cidrs",
    "allowed-origins",         "deny-cidrs",           "health-path",
    "max-body-bytes",          "request-headers",      "request-timeout",
    "response-headers",        "rewrite-prefix",       "upstream-host",
    "upstream-tls-name",       "websocket-service",
};

/// With what makes the annotation count at all.
std::string resolved(const Annotation& annotation, bool written, bool& wrong) {
  std::vector<std::pair<std::string_view, std::string_view>> values;
  if (annotation.name.starts_with("affinity-")) values.emplace_back("affinity", "cookie");
  if (annotation.name.starts_with("health-")) values.emplace_back("health-path", "/up");
  if (annotation.name == "hash-balance-factor") values.emplace_back("hash-by", "path");
  if (annotation.only_with == "hsts-max-age") values.emplace_back("hsts-max-age", "1h");
  if (annotation.only_with == "client-ca-secret") values.emplace_back("client-ca-secret", "roots");
  if (annotation.name == "missing-origin") values.emplace_back("allowed-origins", "null");
  if (written) values.emplace_back(annotation.name, annotation.default_text);
  const Settings settings = settings_of(
      values, built_in_defaults(),
      [&](Severity, std::string_view, const std::string&, const std::string&) { wrong = true; });
  const UpstreamSettings& upstream = settings.upstream;
  const ClientSettings& client = settings.client;
  return settings.policy.SerializeAsString() +
         (settings.health_check ? settings.health_check->SerializeAsString() : "") +
         upstream.server_name + upstream.secret + std::to_string(upstream.unverified) +
         (upstream.tls ? std::to_string(*upstream.tls) : "auto") + client.secret +
         std::to_string(client.optional) + std::to_string(client.depth) +
         std::to_string(client.forwarded);
}

TEST(AnnotationDocuments, TheDefaultsAreThoseInForce) {
  for (const Annotation& annotation : annotations()) {
    bool wrong = false;
    const std::string written = resolved(annotation, true, wrong);
    EXPECT_EQ(wrong, kDescribed.contains(annotation.name)) << annotation.name;
    if (!wrong) {
      EXPECT_EQ(written, resolved(annotation, false, wrong)) << annotation.name;
    }
  }
}

}  // namespace
}  // namespace holdfast::controller
