#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tests/support/fake_clock.h"

namespace holdfast::base {
namespace {

constexpr std::chrono::seconds kPatience{20};

class KeepLines final : public LogSink {
 public:
  void write(std::string line) override { lines.push_back(std::move(line)); }
  [[nodiscard]] std::uint64_t lost_lines() const override { return 0; }
  void flush_and_stop(Duration) override {}

  std::vector<std::string> lines;
};

/// Two connected descriptors, closed at the end.
struct Pair {
  Pair() = default;
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    close_reader();
    if (ends[1] >= 0) ::close(ends[1]);
  }
  /// Leaves the writing end open: a thread that is stuck in write(2) still has its number.
  void leave_writer() { ends[1] = -1; }
  void close_reader() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

std::string read_to_end(int descriptor) {
  std::string all;
  std::array<char, 4096> buffer;
  for (ssize_t got; (got = ::read(descriptor, buffer.data(), buffer.size())) > 0;) {
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

TEST(Log, WritesOneObjectALine) {
  KeepLines sink;
  const FakeClock clock;
  const Log log(sink, clock);
  log.info("listening", {{"what", std::string_view("http")}, {"port", std::int64_t{8080}}});
  ASSERT_EQ(sink.lines.size(), 1U);
  std::string time;
  append_timestamp(time, clock.wall_now());
  EXPECT_EQ(sink.lines[0], R"({"time":")" + time +
                               R"(","level":"info","message":"listening","what":"http",)"
                               R"("port":8080})");
}

TEST(Log, LeavesOutWhatIsBelowTheLevel) {
  KeepLines sink;
  const FakeClock clock;
  const Log log(sink, clock, LogLevel::kWarn);
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  ASSERT_EQ(sink.lines.size(), 2U);
  EXPECT_NE(sink.lines[0].find(R"("level":"warn","message":"c")"), std::string::npos);
  EXPECT_NE(sink.lines[1].find(R"("level":"error","message":"d")"), std::string::npos);
}

TEST(DescriptorSink, WritesEveryLineInOrder) {
  Pair pipe;
  ASSERT_EQ(::pipe2(pipe.ends.data(), O_CLOEXEC), 0);
  auto sink = make_descriptor_sink(pipe.ends[1]);
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    sink->write("{\"line\":" + std::to_string(i) + "}");
    expected += "{\"line\":" + std::to_string(i) + "}\n";
  }
  sink->flush_and_stop(kPatience);
  EXPECT_EQ(sink->lost_lines(), 0U);
  ASSERT_EQ(::close(std::exchange(pipe.ends[1], -1)), 0);
  EXPECT_EQ(read_to_end(pipe.ends[0]), expected);
}

TEST(DescriptorSink, WritesABurstWithFewCalls) {
  // Every write to a SEQPACKET socket is one packet.
  Pair sockets;
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.ends.data()), 0);
  auto sink = make_descriptor_sink(sockets.ends[1]);
  constexpr int kLines = 1000;
  for (int i = 0; i < kLines; ++i) sink->write(std::string(100, 'x'));
  sink->flush_and_stop(kPatience);
  int packets = 0;
  std::size_t bytes = 0;
  std::vector<char> buffer(kLogBatchBytes);
  for (ssize_t got;
       (got = ::recv(sockets.ends[0], buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
    ++packets;
    bytes += static_cast<std::size_t>(got);
  }
  EXPECT_EQ(bytes, kLines * 101U);
  EXPECT_LT(packets, kLines / 10);
}

TEST(DescriptorSink, LosesTheOldestLinesToAStuckReaderAndCountsThem) {
  Pair pipe;
  ASSERT_EQ(::pipe2(pipe.ends.data(), O_CLOEXEC), 0);
  ASSERT_GT(::fcntl(pipe.ends[1], F_SETPIPE_SZ, 4096), 0);
  auto sink = make_descriptor_sink(pipe.ends[1]);
  constexpr std::size_t kLines = 2 * kLogQueueLines;
  std::size_t written = 0;
  for (; written < kLines; ++written) sink->write(std::to_string(written));
  // Nobody reads: what neither the pipe nor one batch nor the queue holds is gone.
  EXPECT_GT(sink->lost_lines(), 0U);
  const std::uint64_t lost_before_stop = sink->lost_lines();

  // Now the reader comes back: the newest line arrives, and nothing is lost but what was counted.
  ASSERT_EQ(::fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK), 0);
  std::string seen;
  while (seen.find("\n" + std::to_string(kLines - 1) + "\n") == std::string::npos) {
    seen += read_to_end(pipe.ends[0]);
  }
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(seen.begin(), seen.end(), '\n')),
            kLines - lost_before_stop);
  sink->flush_and_stop(kPatience);
  EXPECT_EQ(sink->lost_lines(), lost_before_stop);
}

TEST(DescriptorSink, StopsInSpiteOfAStuckReader) {
  Pair pipe;
  ASSERT_EQ(::pipe2(pipe.ends.data(), O_CLOEXEC), 0);
  ASSERT_GT(::fcntl(pipe.ends[1], F_SETPIPE_SZ, 4096), 0);
  auto sink = make_descriptor_sink(pipe.ends[1]);
  for (int i = 0; i < 1000; ++i) sink->write(std::string(100, 'x'));
  pipe.leave_writer();
  sink->flush_and_stop(std::chrono::milliseconds(1));
  const std::uint64_t lost = sink->lost_lines();
  EXPECT_GT(lost, 0U);
  sink->write("too late");
  EXPECT_EQ(sink->lost_lines(), lost + 1);
}

TEST(DescriptorSink, CountsWhatABrokenPipeLost) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pair pipe;
  ASSERT_EQ(::pipe2(pipe.ends.data(), O_CLOEXEC), 0);
  pipe.close_reader();
  auto sink = make_descriptor_sink(pipe.ends[1]);
  sink->write("a");
  sink->write("b");
  sink->flush_and_stop(kPatience);
  EXPECT_EQ(sink->lost_lines(), 2U);
  std::signal(SIGPIPE, before);
}

TEST(DescriptorSink, BoundsTheQueueInBytes) {
  Pair pipe;
  ASSERT_EQ(::pipe2(pipe.ends.data(), O_CLOEXEC), 0);
  auto sink = make_descriptor_sink(pipe.ends[1]);
  const std::string line(kLogQueueBytes / 4, 'x');
  for (int i = 0; i < 8; ++i) sink->write(line);
  EXPECT_GT(sink->lost_lines(), 0U);
  const std::uint64_t lost = sink->lost_lines();
  sink->write(std::string(kLogQueueBytes + 1, 'x'));
  EXPECT_EQ(sink->lost_lines(), lost + 1) << "a line longer than the queue displaces nothing";
  pipe.leave_writer();
  sink->flush_and_stop(std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace holdfast::base
