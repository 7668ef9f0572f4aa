// Goal: what sends a request to its endpoint is read as it is written, and nothing else is.
// Method: a table of requests; two have the same key exactly when they go to the same endpoint.

#include "proxy/hash_key.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;

using Key = std::optional<std::uint64_t>;

Key key(const v1::HashBy& by, const std::string& target, const std::string& fields = "",
        const std::string& client = "192.0.2.1") {
  const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  http::RequestHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(http::parse_request_head(bytes, scanned, head).state, http::ParseState::kDone);
  return hash_key(by, head, *base::parse_ip(client));
}

TEST(HashKey, IsTheClientsAddress) {
  v1::HashBy by;
  by.set_client_address(true);
  EXPECT_EQ(key(by, "/"), key(by, "/other", "Cookie: a=b\r\n"));
  EXPECT_NE(key(by, "/"), key(by, "/", "", "192.0.2.2"));
  EXPECT_EQ(key(by, "/", "", "fd00::1"), key(by, "/", "", "fd00:0::1"));
}

TEST(HashKey, IsTheFirstFieldOfAName) {
  v1::HashBy by;
  by.set_header("X-Room");
  EXPECT_EQ(key(by, "/"), std::nullopt);
  EXPECT_EQ(key(by, "/", "x-room: 7\r\n"), key(by, "/", "X-Room: 7\r\nX-Room: 8\r\n"));
  EXPECT_NE(key(by, "/", "X-Room: 7\r\n"), key(by, "/", "X-Room: 8\r\n"));
}

TEST(HashKey, IsACookieOfTheRightForm) {
  v1::HashBy by;
  by.set_cookie("room");
  const Key seven = key(by, "/", "Cookie: room=7\r\n");
  EXPECT_NE(seven, std::nullopt);
  EXPECT_EQ(key(by, "/", "Cookie: a=1; room=7; b=2\r\n"), seven);
  EXPECT_EQ(key(by, "/", "Cookie: a=1\r\nCookie: room=7\r\n"), seven);
  EXPECT_EQ(key(by, "/", "Cookie: a={\"x\",1}; room=7\r\n"), seven) << "another's fault";
  EXPECT_EQ(key(by, "/", "Cookie: room=a b; room=7\r\n"), seven) << "a byte that none may have";
  EXPECT_EQ(key(by, "/", "Cookie: room; room=7; room=8\r\n"), seven);
  EXPECT_NE(key(by, "/", "Cookie: room=\"7\"\r\n"), seven);
  EXPECT_NE(key(by, "/", "Cookie: room=\"7\"\r\n"), std::nullopt);
  for (const char* none : {"Cookie: Room=7\r\n", "Cookie: broom=7\r\n", "Cookie: room=\"7\r\n",
                           "Cookie: room\r\n", "Cookie: room=a,b\r\n", "Cookie: room=a\\b\r\n",
                           "Cookie: room =7\r\n", "X-Cookie: room=7\r\n", "Cookie: ;;\r\n"}) {
    EXPECT_EQ(key(by, "/", none), std::nullopt) << none;
  }
}

TEST(HashKey, IsAParameterAsItIsWritten) {
  v1::HashBy by;
  by.set_query("room");
  const Key seven = key(by, "/?room=7");
  EXPECT_NE(seven, std::nullopt);
  EXPECT_EQ(key(by, "/other?a=b&room=7&room=8"), seven);
  EXPECT_NE(key(by, "/?room=%37"), seven);
  EXPECT_EQ(key(by, "/?room"), key(by, "/?room="));
  for (const char* none : {"/", "/?", "/?broom=7", "/room=7", "/?a&b=room=7", "/?ROOM=7"}) {
    EXPECT_EQ(key(by, none), std::nullopt) << none;
  }
}

TEST(HashKey, IsThePathWithoutItsQuery) {
  v1::HashBy by;
  by.set_path(true);
  EXPECT_EQ(key(by, "/a?x"), key(by, "/a?y"));
  EXPECT_NE(key(by, "/a"), key(by, "/A"));
  EXPECT_NE(key(by, "/a"), key(by, "/%61"));
}

TEST(HashKey, IsNoneWithoutAKindOfKey) { EXPECT_EQ(key({}, "/"), std::nullopt); }

}  // namespace
}  // namespace holdfast::proxy
