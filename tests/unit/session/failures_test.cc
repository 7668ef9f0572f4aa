// Goal: whichever call of the kernel fails, a session ends or goes on in order: what holds of every
// session holds, nothing is left open or counted, and no tunnel opens that was not agreed to.
// Method: plays that go through each part of a session, once for every call, which fails.

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>

#include "tests/fuzz/session_rules.h"
#include "tests/fuzz/session_world.h"

namespace holdfast::proxy {
namespace {

using namespace std::chrono_literals;
using fuzz::World;

/// A client and a backend that say what they would whatever has become of the other.
class Stage {
 public:
  explicit Stage(World& world) : world_(world) {
    world_.add_client();
    world_.settle();
  }
  void client(std::string_view bytes) {
    world_.clients.back()->send(bytes);
    world_.settle();
  }
  /// The backend connected to last.
  void backend(std::string_view bytes) {
    if (!world_.backends.empty()) world_.backends.back()->send(bytes);
    world_.settle();
  }
  void client_holds(bool holds) {
    world_.clients.back()->hold(holds);
    world_.settle();
  }
  void backend_ends() {
    if (!world_.backends.empty()) world_.backends.back()->end();
    world_.settle();
  }
  void client_ends() {
    world_.clients.back()->end();
    world_.settle();
  }
  void pass(base::Duration duration) { world_.pass_time(duration); }

 private:
  World& world_;
};

struct Play {
  std::string name;
  std::function<void(Stage&)> act;
};

class EveryFailure : public testing::TestWithParam<Play> {};

TEST_P(EveryFailure, KeepsTheRules) {
  for (const int error : {ECONNRESET, EPIPE, ENOBUFS}) {
    bool reached = true;
    std::size_t number = 0;
    for (; reached; ++number) {
      ASSERT_LT(number, 500U);
      World world;
      world.fail_operation(number, error);
      Stage stage(world);
      GetParam().act(stage);
      reached = world.has_failed();
      for (int i = 0; i < 20 && world.open_connections() > 0; ++i) stage.pass(20min);
      EXPECT_EQ(world.open_connections(), 0U) << number;
      world.shut_down();
      fuzz::require_rules(world);
    }
    EXPECT_GE(number, 5U);
  }
}

const std::string kKey = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string kHandshake =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
    kKey + "\r\n\r\n";
const std::string kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const std::vector<Play> kPlays = {
    {"two_requests_on_kept_connections",
     [](Stage& stage) {
       for (int i = 0; i < 2; ++i) {
         stage.client(kGet);
         stage.backend(kAnswer);
       }
     }},
    {"pipelined",
     [](Stage& stage) {
       stage.client(kGet + kGet);
       stage.backend(kAnswer);
       stage.backend(kAnswer);
     }},
    {"a_kept_connection_that_is_dead",
     [](Stage& stage) {
       stage.client(kGet);
       stage.backend(kAnswer);
       stage.backend_ends();
       stage.client(kGet);
       stage.backend(kAnswer);
     }},
    {"several_endpoints",
     [](Stage& stage) {
       stage.client("GET /many HTTP/1.1\r\nHost: a\r\n\r\n");
       stage.backend(kAnswer);
     }},
    {"chunked_both_ways_in_pieces",
     [](Stage& stage) {
       stage.client("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
       stage.client("3\r\nabc\r\n");
       stage.backend("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
       stage.backend("3\r\ndef\r\n");
       stage.client("0\r\n\r\n");
       stage.backend("0\r\n\r\n");
     }},
    {"expect_and_interim_answers",
     [](Stage& stage) {
       stage.client(
           "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
       stage.backend("HTTP/1.1 100 Continue\r\n\r\n");
       stage.client("abc");
       stage.backend("HTTP/1.1 103 Early Hints\r\n\r\n" + kAnswer);
     }},
    {"an_answer_until_close_to_a_slow_reader",
     [](Stage& stage) {
       stage.client(kGet);
       stage.client_holds(true);
       stage.backend("HTTP/1.1 200 OK\r\n\r\n" + std::string(40'000, 'x'));
       stage.client_holds(false);
       stage.backend_ends();
     }},
    {"refused",
     [](Stage& stage) {
       stage.client("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
       stage.client("GET / HTTP/1.1\r\n\r\nand more");
     }},
    {"a_path_that_points_elsewhere",
     [](Stage& stage) {
       stage.client(kGet);
       stage.backend(kAnswer);
       stage.client("GET /x/%2e%2E/many HTTP/1.1\r\nHost: a\r\n\r\n");
     }},
    {"a_websocket_to_its_closing_handshake",
     [](Stage& stage) {
       stage.client(kHandshake + std::string("\x81\x85mask12345", 11));
       stage.backend(kSwitch + "\x81\x02hi");
       stage.client(std::string("\x81\x85mask12345", 11));
       stage.backend("\x81\x02ho");
       stage.client(std::string("\x88\x82mask\x6e\x89", 8));
       stage.backend(std::string("\x88\x02\x03\xe8", 4));
       stage.backend_ends();
       stage.client_ends();
     }},
    {"a_websocket_declined",
     [](Stage& stage) {
       stage.client(kHandshake);
       stage.backend("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
     }},
    {"a_websocket_with_a_wrong_101",
     [](Stage& stage) {
       stage.client(kHandshake + std::string("\x81\x85mask12345", 11));
       stage.backend(
           "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
           "Upgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n");
     }},
    {"a_websocket_whose_reader_stalls",
     [](Stage& stage) {
       stage.client(kHandshake);
       stage.backend(kSwitch);
       stage.client_holds(true);
       stage.backend("\x82\x7e\x75\x30" + std::string(30'000, 'x'));
       stage.client_holds(false);
       stage.client_ends();
       stage.backend_ends();
     }},
};
INSTANTIATE_TEST_SUITE_P(Plays, EveryFailure, testing::ValuesIn(kPlays),
                         [](const auto& play) { return play.param.name; });

}  // namespace
}  // namespace holdfast::proxy
