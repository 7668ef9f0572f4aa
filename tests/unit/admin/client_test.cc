// Goal: a page is fetched whole, and whatever goes wrong is one sentence. Method: the room's own
// server at the other end.

#include "admin/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::admin {
namespace {

using testing::HasSubstr;

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    server_.handle("/page", [](const std::string& query) { return Answer{.body = query}; });
    server_.handle("/big",
                   [](const std::string&) { return Answer{.body = std::string(3 << 20, 'x')}; });
    server_.handle("/busy", [](const std::string&) {
      return Answer{.status = 503, .body = "A worker is busy; try again.\n"};
    });
    EXPECT_TRUE(server_.start("127.0.0.1:0").ok());
    address_ = "127.0.0.1:" + std::to_string(server_.port());
  }

  base::FakeClock clock_;
  base::LineSink lines_;
  base::Log log_{lines_, clock_};
  Server server_{log_};
  std::string address_;
};

TEST_F(ClientTest, APageAndItsQuery) {
  const auto page = fetch(address_, "/page?client=" + percent_encoded("::1"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, "client=%3A%3A1");
}

TEST_F(ClientTest, ABigPage) {
  const auto page = fetch(address_, "/big");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->size(), std::size_t{3} << 20);
}

TEST_F(ClientTest, WhatGoesWrongIsSaid) {
  EXPECT_EQ(fetch(address_, "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(fetch(address_, "/busy").status().message()),
              HasSubstr("503: A worker is busy; try again."));
  server_.stop();
  EXPECT_THAT(std::string(fetch(address_, "/page").status().message()),
              HasSubstr(address_ + " does not answer"));
  EXPECT_FALSE(fetch("nonsense", "/page").ok());
  EXPECT_FALSE(fetch("somewhere:80", "/page").ok());
}

TEST(PercentEncoded, KeepsOnlyWhatMayStand) {
  EXPECT_EQ(percent_encoded("a-Z0._~"), "a-Z0._~");
  EXPECT_EQ(percent_encoded("a&b=c d%\xff/"), "a%26b%3Dc%20d%25%FF%2F");
}

}  // namespace
}  // namespace holdfast::admin
