// Goal: what DNS says comes through as it is, whatever the server does, and never from within a
// call. Method: a server of our own on 127.0.0.1 that answers each question with bytes of a test.

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <optional>

#include "dns/client.h"

namespace holdfast::dns {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using std::chrono::seconds;

constexpr std::size_t kHeadBytes = 12;
/// NOERROR, SERVFAIL and NXDOMAIN (RFC 1035, section 4.1.1).
constexpr char kFine = 0;
constexpr char kBroken = 2;
constexpr char kUnknown = 3;

void append16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}

/// A record of the question's own name, or of "b.test".
std::string record(bool of_alias, unsigned type, unsigned ttl, const std::string& data) {
  std::string out = of_alias ? std::string("\1b\4test\0", 8) : std::string("\xc0\x0c");
  append16(out, type);
  append16(out, 1);
  append16(out, ttl >> 16);
  append16(out, ttl & 0xffffU);
  append16(out, static_cast<unsigned>(data.size()));
  return out + data;
}

struct Script {
  char code = kFine;
  std::vector<std::string> records = {};
  bool silent = false;
};

class AresClientTest : public testing::Test {
 protected:
  AresClientTest() : socket_(context_, udp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    receive();
  }

  std::unique_ptr<Client> client() {
    return make_client(context_, {"127.0.0.1:" + std::to_string(socket_.local_endpoint().port())});
  }

  /// What the server's script becomes.
  Answer answer_to(Family family, const Script& script) {
    script_ = script;
    const auto asking = client();
    std::optional<Answer> answer;
    asking->ask({"a.test", family}, [&](Answer got) { answer = std::move(got); });
    EXPECT_FALSE(answer);
    while (!answer) context_.run_one();
    return *answer;
  }

  asio::io_context context_;
  std::size_t questions_ = 0;
  Script script_;

 private:
  void receive() {
    socket_.async_receive_from(asio::buffer(buffer_), peer_,
                               [this](const boost::system::error_code& error, std::size_t bytes) {
                                 if (error || bytes < kHeadBytes) return;
                                 ++questions_;
                                 if (!script_.silent) reply(std::string(buffer_.data(), bytes));
                                 receive();
                               });
  }

  void reply(std::string message) {
    message[2] = static_cast<char>(0x81);
    message[3] = static_cast<char>(0x80 | script_.code);
    message[7] = static_cast<char>(script_.records.size());
    // The question alone: no additional records.
    message[11] = 0;
    for (const std::string& text : script_.records) message += text;
    socket_.send_to(asio::buffer(message), peer_);
  }

  udp::socket socket_;
  udp::endpoint peer_;
  std::array<char, 512> buffer_{};
};

constexpr unsigned kA = 1;
constexpr unsigned kCname = 5;
constexpr unsigned kAaaa = 28;
const std::string kAlias("\1b\4test\0", 8);

std::string bytes_of(const std::string& text) {
  const base::IpAddress address = base::parse_ip(text).value();
  return {reinterpret_cast<const char*>(address.bytes.data()), address.ipv6 ? 16U : 4U};
}

TEST_F(AresClientTest, ReadsARecordsAndTheLeastTtl) {
  const Answer answer =
      answer_to(Family::kIpv4, {.records = {record(false, kA, 300, bytes_of("10.0.0.2")),
                                            record(false, kA, 200, bytes_of("10.0.0.1"))}});
  EXPECT_EQ(answer.kind, Answer::Kind::kAddresses) << answer.reason;
  ASSERT_EQ(answer.addresses.size(), 2U);
  EXPECT_EQ(base::to_string(answer.addresses[0]), "10.0.0.2");
  EXPECT_EQ(base::to_string(answer.addresses[1]), "10.0.0.1");
  EXPECT_EQ(answer.ttl, seconds(200));
}

TEST_F(AresClientTest, ReadsAaaaRecordsBehindAnAlias) {
  const Answer answer =
      answer_to(Family::kIpv6, {.records = {record(false, kCname, 5, kAlias),
                                            record(true, kAaaa, 300, bytes_of("2001:db8::1"))}});
  EXPECT_EQ(answer.kind, Answer::Kind::kAddresses) << answer.reason;
  ASSERT_EQ(answer.addresses.size(), 1U);
  EXPECT_EQ(base::to_string(answer.addresses[0]), "2001:db8::1");
  EXPECT_EQ(answer.ttl, seconds(5));
}

TEST_F(AresClientTest, TellsNothingFromNoSuchName) {
  EXPECT_EQ(answer_to(Family::kIpv4, {}).kind, Answer::Kind::kNoAddress);
  EXPECT_EQ(answer_to(Family::kIpv4, {.records = {record(false, kCname, 5, kAlias)}}).kind,
            Answer::Kind::kNoAddress);
  EXPECT_EQ(answer_to(Family::kIpv6, {.code = kUnknown}).kind, Answer::Kind::kNoSuchName);
}

TEST_F(AresClientTest, AServerThatFailsIsAFailure) {
  const Answer broken = answer_to(Family::kIpv4, {.code = kBroken});
  EXPECT_EQ(broken.kind, Answer::Kind::kFailed);
  EXPECT_NE(broken.reason, "");
  const Answer torn =
      answer_to(Family::kIpv4, {.records = {record(false, kA, 300, "\x0a").substr(0, 9)}});
  EXPECT_EQ(torn.kind, Answer::Kind::kFailed);
}

TEST_F(AresClientTest, NobodyIsCalledOnceTheClientIsGone) {
  script_.silent = true;
  bool called = false;
  auto asking = client();
  asking->ask({"a.test", Family::kIpv4}, [&](const Answer&) { called = true; });
  while (questions_ == 0) context_.run_one();
  asking.reset();
  // An answer that is there, but was not yet handed over.
  script_.silent = false;
  asking = client();
  asking->ask({"a..test", Family::kIpv4}, [&](const Answer&) { called = true; });
  asking.reset();
  context_.poll();
  EXPECT_FALSE(called);
}

TEST_F(AresClientTest, ANameThatCannotBeAskedForFailsLater) {
  const auto asking = client();
  std::optional<Answer> answer;
  asking->ask({"a..test", Family::kIpv4}, [&](Answer got) { answer = std::move(got); });
  EXPECT_FALSE(answer);
  while (!answer) context_.run_one();
  EXPECT_EQ(answer->kind, Answer::Kind::kFailed);
}

}  // namespace
}  // namespace holdfast::dns
