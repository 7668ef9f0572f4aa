#include "kube/response_reader.h"

#include <gtest/gtest.h>

namespace holdfast::kube {
namespace {

constexpr char kChunked[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";

TEST(ResponseReader, ReadsAnyByteSplit) {
  for (const std::string& stream :
       {std::string(kChunked),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world")}) {
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      ResponseReader reader;
      std::string body;
      for (std::size_t at = 0; at < stream.size(); at += piece) {
        ASSERT_TRUE(reader.feed(std::string_view(stream).substr(at, piece)).ok());
        body += reader.take_body();
      }
      EXPECT_TRUE(reader.done());
      EXPECT_TRUE(reader.reusable());
      EXPECT_EQ(reader.status(), 200);
      EXPECT_EQ(body, "hello, world") << piece;
    }
  }
}

TEST(ResponseReader, TellsACutResponse) {
  const std::string stream = kChunked;
  for (std::size_t length = 0; length < stream.size(); ++length) {
    ResponseReader reader;
    ASSERT_TRUE(reader.feed(stream.substr(0, length)).ok());
    EXPECT_FALSE(reader.feed_end().ok()) << length;
  }
  ResponseReader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello").ok());
  EXPECT_FALSE(reader.feed_end().ok());
}

TEST(ResponseReader, ReadsToTheEndOfTheConnection) {
  ResponseReader reader;
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\n\r\nhello").ok());
  EXPECT_FALSE(reader.done());
  EXPECT_TRUE(reader.feed_end().ok());
  EXPECT_TRUE(reader.done());
  EXPECT_FALSE(reader.reusable());
  EXPECT_EQ(reader.take_body(), "hello");
}

TEST(ResponseReader, DoesNotReuseWhatIsClosedOrSaysTooMuch) {
  ResponseReader closing;
  ASSERT_TRUE(closing
                  .feed("HTTP/1.1 429 X\r\nConnection: close\r\nRetry-After: 3\r\n"
                        "Content-Length: 0\r\n\r\n")
                  .ok());
  EXPECT_TRUE(closing.done());
  EXPECT_FALSE(closing.reusable());
  EXPECT_EQ(closing.header("retry-after"), "3");
  EXPECT_EQ(closing.header("absent"), "");
  ResponseReader chatty;
  ASSERT_TRUE(chatty.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore").ok());
  EXPECT_FALSE(chatty.reusable());
}

TEST(ResponseReader, RefusesGarbage) {
  for (const std::string& bytes :
       {std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(100'000, 'x')}) {
    ResponseReader reader;
    EXPECT_FALSE(reader.feed(bytes).ok()) << bytes.substr(0, 60);
  }
}

}  // namespace
}  // namespace holdfast::kube
