// A WebSocket load of numbered, checked echoes on bare epoll. One thread, loopback only, bounded in
// count and time.
//
//   bench_load --connect 127.x.y.z:PORT [--connections N] [--messages M] [--payload BYTES] [--rate
//   R] bench_load --connect 127.x.y.z:PORT --handshakes M [--connections N] [--hold]
//
// The first form opens N WebSockets and warms each with one echo; then M round trips, each
// connection sending its next message when its echo is in (closed loop), or R a second in all,
// evenly over the connections (paced). The second opens M WebSockets, N at a time, and closes each
// (--hold: none).
//
// Driven over its standard streams, so that a script can measure between the phases: it prints
// "ready", waits for a line, runs, prints its result as one line of JSON, and stays, with
// everything that is open, until its standard input ends. A wrong or missing echo ends it with
// status 1.

#include <sys/timerfd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "wire.h"

namespace {

using bench::fail;
using SteadyClock = std::chrono::steady_clock;

/// Every process here has 20,000 descriptors at least, and a relay needs two for each connection.
constexpr int kConnectionsMost = 9900;
/// Sent in one piece: fits any socket's first send buffer.
constexpr std::size_t kPayloadBytesMost = 4096;
/// Room for the sequence number that each payload starts with.
constexpr std::size_t kPayloadBytesLeast = 8;
/// Handshakes under way at a time while the first form opens its connections.
constexpr int kOpeningMost = 64;
constexpr int kTickMilliseconds = 1;

// The example of RFC 6455, 1.3, with its answer.
constexpr const char* kRequest =
    "GET /bench HTTP/1.1\r\nHost: bench.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct Options {
  sockaddr_in address{};
  int connections = 64;
  long messages = 0;
  long handshakes = 0;
  std::size_t payload = 64;
  long rate = 0;
  bool hold = false;
};

enum class Phase { kConnecting, kAwaitingAnswer, kIdle, kAwaitingEcho };

struct Connection {
  int fd = -1;
  Phase phase = Phase::kConnecting;
  std::uint64_t sequence = 0;  // of the message under way
  SteadyClock::time_point sent;
  std::string received;  // an incomplete head or frame
};

class Load {
 public:
  explicit Load(const Options& options) : options_(options) { bytes_.resize(bench::kReadBytes); }

  void run_messages() {
    open_all();
    std::puts("ready");
    await_line();
    const auto start = SteadyClock::now();
    options_.rate > 0 ? run_paced(start) : run_closed_loop();
    report("messages", options_.messages, start);
    await_end();
  }

  void run_handshakes() {
    std::puts("ready");
    await_line();
    const auto start = SteadyClock::now();
    counting_handshakes_ = true;
    while (opened_ < options_.handshakes) {
      while (opening_ < options_.connections && started_ < options_.handshakes) {
        start_connection();
      }
      turn(-1);
    }
    report("handshakes", options_.handshakes, start);
    await_end();
  }

 private:
  void open_all() {
    while (opened_ < options_.connections) {
      while (opening_ < std::min(kOpeningMost, options_.connections - opened_)) {
        start_connection();
      }
      turn(-1);
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      send_message(connections_[i]);
    }
    while (echoes_ < options_.connections) {
      turn(-1);
    }
    echoes_ = 0;
    sent_ = 0;
    latencies_.clear();
    latencies_.reserve(static_cast<std::size_t>(options_.messages));
  }

  void run_closed_loop() {
    closed_loop_ = true;
    for (auto& connection : connections_) {
      if (sent_ < options_.messages) {
        send_message(connection);
      }
    }
    while (echoes_ < options_.messages) {
      turn(-1);
    }
  }

  void run_paced(SteadyClock::time_point start) {
    const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    const timespec tick{0, kTickMilliseconds * 1'000'000};
    const itimerspec ticks{tick, tick};
    timerfd_settime(timer, 0, &ticks, nullptr);
    bench::watch(epoll_, timer, EPOLLIN, kTimerKey);
    timer_ = timer;
    std::size_t next = 0;
    while (echoes_ < options_.messages) {
      turn(-1);
      const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
      const long due = std::min(options_.messages,
                                static_cast<long>(elapsed * static_cast<double>(options_.rate)));
      for (std::size_t tried = 0; sent_ < due && tried < connections_.size(); ++tried) {
        Connection& connection = connections_[next++ % connections_.size()];
        if (connection.phase == Phase::kIdle) {
          send_message(connection);
        }
      }
    }
  }

  void start_connection() {
    connections_.emplace_back();
    connections_.back().fd = bench::connect_to(options_.address);
    bench::watch(epoll_, connections_.back().fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 connections_.size() - 1);
    ++started_;
    ++opening_;
  }

  void turn(int timeout) {
    epoll_event events[bench::kEvents];
    const int count = epoll_wait(epoll_, events, bench::kEvents, timeout);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kTimerKey) {
        std::uint64_t ticks = 0;
        while (read(timer_, &ticks, sizeof ticks) > 0) {
        }
        continue;
      }
      Connection& connection = connections_[events[i].data.u64];
      if (connection.phase == Phase::kConnecting && (events[i].events & EPOLLOUT) != 0) {
        send_whole(connection, kRequest);
        connection.phase = Phase::kAwaitingAnswer;
      }
      if ((events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        receive(connection);
      }
    }
  }

  static void send_whole(Connection& connection, std::string_view bytes) {
    const ssize_t sent = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(bytes.size())) {
      fail("a send fell short");
    }
  }

  void send_message(Connection& connection) {
    connection.sequence = ++sequence_;
    frame_.clear();
    bench::append_frame_head(frame_, options_.payload, true);
    frame_.append(4, '\0');  // a masking key of zeros leaves the payload readable here
    const std::size_t start = frame_.size();
    frame_.append(options_.payload, 'x');
    std::memcpy(frame_.data() + start, &connection.sequence, sizeof connection.sequence);
    connection.sent = SteadyClock::now();
    connection.phase = Phase::kAwaitingEcho;
    ++sent_;
    send_whole(connection, frame_);
  }

  void receive(Connection& connection) {
    const ssize_t got = recv(connection.fd, bytes_.data(), bytes_.size(), 0);
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      fail("a connection was closed after " + std::to_string(opened_) + " handshakes and " +
           std::to_string(echoes_) + " echoes");
    }
    std::string_view bytes(bytes_.data(), static_cast<std::size_t>(got));
    if (!connection.received.empty()) {
      connection.received.append(bytes);
      bytes = connection.received;
    }
    const bool whole = connection.phase == Phase::kAwaitingAnswer ? take_answer(connection, bytes)
                                                                  : take_echo(connection, bytes);
    if (whole) {
      connection.received = {};
    } else if (connection.received.empty()) {
      connection.received = bytes;
    }
  }

  bool take_answer(Connection& connection, std::string_view bytes) {
    if (bytes.find("\r\n\r\n") == std::string_view::npos) {
      return false;
    }
    if (bytes.substr(0, 12) != "HTTP/1.1 101" || bytes.find(kAccept) == std::string_view::npos) {
      errno = 0;
      fail("not a WebSocket: " + std::string(bytes.substr(0, bytes.find('\r'))));
    }
    ++opened_;
    --opening_;
    connection.phase = Phase::kIdle;
    if (counting_handshakes_ && !options_.hold) {
      close(connection.fd);
    }
    return true;
  }

  bool take_echo(Connection& connection, std::string_view bytes) {
    const bench::FrameView frame = bench::front_frame(bytes);
    if (frame.bytes == 0) {
      return false;
    }
    std::uint64_t sequence = 0;
    if (frame.payload.size() == options_.payload) {
      std::memcpy(&sequence, frame.payload.data(), sizeof sequence);
    }
    if (connection.phase != Phase::kAwaitingEcho || sequence != connection.sequence ||
        frame.bytes != bytes.size() ||
        frame.payload.find_first_not_of('x', sizeof sequence) != std::string_view::npos) {
      errno = 0;
      fail("a wrong echo");
    }
    connection.phase = Phase::kIdle;
    ++echoes_;
    latencies_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - connection.sent)
            .count()));
    if (closed_loop_ && sent_ < options_.messages) {
      send_message(connection);
    }
    return true;
  }

  void report(const char* what, long count, SteadyClock::time_point start) {
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    std::sort(latencies_.begin(), latencies_.end());
    const auto quantile = [&](double q) {
      return latencies_.empty() ? 0U
                                : latencies_[static_cast<std::size_t>(
                                      q * static_cast<double>(latencies_.size() - 1))];
    };
    std::printf("{\"%s\": %ld, \"seconds\": %.6f, \"p50_us\": %u, \"p99_us\": %u}\n", what, count,
                seconds, quantile(0.5), quantile(0.99));
  }

  static void await_line() {
    int c = 0;
    while ((c = std::getchar()) != '\n') {
      if (c == EOF) {
        std::exit(0);
      }
    }
  }

  static void await_end() {
    while (std::getchar() != EOF) {
    }
  }

  static constexpr std::uint64_t kTimerKey = ~std::uint64_t{0};

  Options options_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int timer_ = -1;
  std::vector<Connection> connections_;
  std::vector<char> bytes_;
  std::string frame_;
  std::vector<std::uint32_t> latencies_;  // microseconds
  std::uint64_t sequence_ = 0;
  int started_ = 0;
  int opening_ = 0;
  int opened_ = 0;
  long sent_ = 0;
  long echoes_ = 0;
  bool closed_loop_ = false;
  bool counting_handshakes_ = false;
};

[[noreturn]] void refuse(const std::string& sentence) {
  std::fprintf(stderr, "bench_load: %s\n", sentence.c_str());
  std::exit(64);
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--hold") {
      options.hold = true;
      continue;
    }
    if (++i == argc) {
      refuse(flag + " needs a value");
    }
    const std::string value = argv[i];
    if (flag == "--connect") {
      options.address = bench::parse_address(value);
    } else if (flag == "--connections") {
      options.connections = std::atoi(value.c_str());
    } else if (flag == "--messages") {
      options.messages = std::atol(value.c_str());
    } else if (flag == "--handshakes") {
      options.handshakes = std::atol(value.c_str());
    } else if (flag == "--payload") {
      options.payload = static_cast<std::size_t>(std::atol(value.c_str()));
    } else if (flag == "--rate") {
      options.rate = std::atol(value.c_str());
    } else {
      refuse("what is " + flag + "?");
    }
  }
  if (options.address.sin_port == 0) {
    refuse("--connect is missing");
  }
  if (options.connections < 1 || options.connections > kConnectionsMost ||
      (options.hold && options.handshakes > kConnectionsMost)) {
    refuse("1 to " + std::to_string(kConnectionsMost) + " connections");
  }
  if (options.payload < kPayloadBytesLeast || options.payload > kPayloadBytesMost) {
    refuse("a payload has " + std::to_string(kPayloadBytesLeast) + " to " +
           std::to_string(kPayloadBytesMost) + " bytes");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  bench::prepare_process();
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Load load(options);
  options.handshakes > 0 ? load.run_handshakes() : load.run_messages();
}
