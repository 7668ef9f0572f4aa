// Goal: a prefix is replaced where it stands, and everything behind it stays byte for byte.

#include "proxy/rewrite.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::proxy {
namespace {

struct Row {
  const char* matched;
  const char* rewrite;
  const char* target;
  const char* expected;
};

std::string rewrite(const Row& row) {
  RouteSettings settings;
  settings.forwarding.rewrite_prefix = row.rewrite;
  Route route;
  route.settings = std::make_shared<RouteSettings>(settings);
  route.matched_bytes = std::string_view(row.matched).size();
  const std::string target = row.target;
  http::RequestHead request;
  request.target = target;
  request.path = target.starts_with('?') ? "/" : request.target.substr(0, target.find('?'));
  return rewritten_target(route, request);
}

TEST(Rewrite, Table) {
  const Row rows[] = {
      {"/app", "", "/app/x", ""},
      {"/app", "/", "/app/x?q=/app", "/x?q=/app"},
      {"/app", "/", "/app", "/"},
      {"/app", "/", "/app?q", "/?q"},
      {"/app", "/", "/app/", "/"},
      {"/app", "/v2", "/app", "/v2"},
      {"/app", "/v2", "/app/x//y%2F?", "/v2/x//y%2F?"},
      // Another spelling of what was matched is replaced as a whole.
      {"/app", "/v2", "//app/x", "/v2/x"},
      {"/app", "/v2", "/%61p%70/%78?/%61", "/v2/%78?/%61"},
      {"/app", "/v2", "/app%2Fx", "/v2%2Fx"},
      {"/app", "/", "/app%2F%2Fevil.test", "/%2F%2Fevil.test"},
      {"/a/b", "/v2", "/a%2f//b", "/v2"},
      {"/app", "/v2/", "/app/x", "/v2/x"},
      {"/app", "/v2/", "/app", "/v2/"},
      // "//evil.test" would name a host.
      {"/app", "/", "/app//evil.test/x", "/evil.test/x"},
      {"/app", "/v2", "/app//x", "/v2//x"},
      // Exact matches, whole.
      {"/", "/v2", "/?q", "/v2?q"},
      {"/ws/", "/x", "/ws/", "/x"},
      {"/ws/", "/x", "/ws//%2F", "/x"},
      {"", "/v2", "/x", "/v2/x"},
      {"", "/v2", "/", "/v2/"},
      {"", "/v2", "?q", "/v2/?q"},
      {"", "/v2", "*", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(rewrite(row), row.expected) << row.target;
}

}  // namespace
}  // namespace holdfast::proxy
