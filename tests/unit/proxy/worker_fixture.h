#pragma once

// A worker that is turned by hand on a fake clock, and non-blocking socket pairs to put into it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/worker.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::proxy {

/// The test's end of a socket pair; the other end is given away with give().
class FarEnd {
 public:
  explicit FarEnd(int type = SOCK_STREAM) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends.data()), 0);
    near_ = ends[0];
    far_ = ends[1];
  }
  FarEnd(FarEnd&& other) noexcept
      : near_(std::exchange(other.near_, -1)), far_(std::exchange(other.far_, -1)) {}
  FarEnd& operator=(FarEnd&&) = delete;
  ~FarEnd() {
    if (near_ >= 0) ::close(near_);
    close();
  }

  /// The descriptor of the near end, whoever owns it.
  [[nodiscard]] int near() const { return near_; }
  /// Gives the near end away.
  int give() { return std::exchange(near_, -1); }

  void write(std::string_view bytes) const {
    EXPECT_EQ(::send(far_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// Everything that waits to be read.
  [[nodiscard]] std::string read_all() const {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = ::recv(far_, buffer.data(), buffer.size(), 0)) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
  }
  void drop_all() const { static_cast<void>(read_all()); }
  /// What one read gives: of SOCK_SEQPACKET, one write.
  [[nodiscard]] std::string read_once() const {
    std::array<char, 1000> buffer{};
    const ssize_t n = ::recv(far_, buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }
  /// The near end is closed, or has ended its side, and nothing is left to read.
  [[nodiscard]] bool at_end() const {
    char byte = 0;
    const ssize_t n = ::recv(far_, &byte, 1, MSG_PEEK);
    // A reset: it was closed with something unread.
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }
  void end() const { ::shutdown(far_, SHUT_WR); }
  void close() {
    if (far_ >= 0) ::close(std::exchange(far_, -1));
  }

 private:
  int near_ = -1;
  int far_ = -1;
};

/// Lets readiness be noted and does nothing about it.
class IdleHandler final : public SocketHandler {
 public:
  void on_ready(Socket&) override {}
  void on_turn() override {}
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() { EXPECT_TRUE(worker_.open().ok()); }

  SocketPtr add(FarEnd& end) { return worker_.sockets().add(end.give(), &idle_, true); }
  void poll() { worker_.sockets().poll(); }
  void pass_time(base::Duration duration) {
    clock_.advance(duration);
    worker_.run_timers();
  }

  base::FakeClock clock_;
  base::LineSink sink_;
  base::Log log_{sink_, clock_};
  Shared shared_{.clock = clock_, .log = log_, .access_log = nullptr, .descriptors_most = 10'000};
  IdleHandler idle_;
  Worker worker_{0, shared_};
};

}  // namespace holdfast::proxy
