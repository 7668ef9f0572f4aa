// A WebSocket echo backend on bare epoll, as cheap as it can be, so that what is measured is what
// stands in front of it. One thread. Upgrades every request; sends every frame back, a Close too.
//
//   bench_echo LISTEN      127.x.y.z:PORT

#include <openssl/evp.h>

#include <unordered_map>

#include "wire.h"

namespace {

/// A request head that is longer is no handshake of ours.
constexpr std::size_t kHeadBytesMost = 16 * 1024;

/// Sec-WebSocket-Accept for a key (RFC 6455, 4.2.2).
std::string accept_value(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_bytes = 0;
  EVP_Digest(text.data(), text.size(), digest, &digest_bytes, EVP_sha1(), nullptr);
  unsigned char encoded[2 * EVP_MAX_MD_SIZE];
  const int length = EVP_EncodeBlock(encoded, digest, static_cast<int>(digest_bytes));
  return {reinterpret_cast<char*>(encoded), static_cast<std::size_t>(length)};
}

std::string_view header_value(std::string_view head, std::string_view lower_name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const std::size_t colon = line.find(':');
    if (colon == lower_name.size() &&
        strncasecmp(line.data(), lower_name.data(), lower_name.size()) == 0) {
      const std::size_t start = line.find_first_not_of(' ', colon + 1);
      return start == std::string_view::npos ? std::string_view{} : line.substr(start);
    }
  }
  return {};
}

struct Connection {
  std::string received;  // an incomplete head or frame
  std::string owed;      // not yet written
  bool open = false;     // the 101 is out
};

class Echo {
 public:
  explicit Echo(const sockaddr_in& listen) : listener_(bench::listen_on(listen)) {
    bench::watch(epoll_, listener_, EPOLLIN, 0);
  }

  void run() {
    epoll_event events[bench::kEvents];
    for (;;) {
      const int count = epoll_wait(epoll_, events, bench::kEvents, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = static_cast<int>(events[i].data.u64);
        if (fd == 0) {
          accept_all();
        } else if (!serve(fd, connections_[fd], (events[i].events & EPOLLRDHUP) != 0)) {
          close(fd);
          connections_.erase(fd);
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      bench::set_no_delay(fd);
      connections_[fd] = {};
      bench::watch(epoll_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                   static_cast<std::uint64_t>(fd));
    }
  }

  /// False: the connection is over. A short read empties a stream socket (epoll(7)), but says
  /// nothing of an end behind it.
  bool serve(int fd, Connection& connection, bool end_may_follow) {
    for (;;) {
      const ssize_t got = recv(fd, buffer_, sizeof buffer_, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN)) {
        return false;
      }
      if (got > 0) {
        connection.received.append(buffer_, static_cast<std::size_t>(got));
        if (!consume(connection)) {
          return false;
        }
      }
      if (!flush(fd, connection)) {
        return false;
      }
      if (got < 0 || (got < static_cast<ssize_t>(sizeof buffer_) && !end_may_follow)) {
        return true;
      }
    }
  }

  static bool consume(Connection& connection) {
    std::string_view rest = connection.received;
    if (!connection.open) {
      const std::size_t end = rest.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        return rest.size() < kHeadBytesMost;
      }
      const std::string_view key = header_value(rest.substr(0, end), "sec-websocket-key");
      if (key.empty()) {
        return false;
      }
      connection.owed +=
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: " +
          accept_value(key) + "\r\n\r\n";
      connection.open = true;
      rest.remove_prefix(end + 4);
    }
    while (true) {
      const bench::FrameView frame = bench::front_frame(rest);
      if (frame.bytes == 0) {
        break;
      }
      append_echo(connection.owed, frame);
      rest.remove_prefix(frame.bytes);
    }
    connection.received.erase(0, connection.received.size() - rest.size());
    return true;
  }

  static void append_echo(std::string& out, const bench::FrameView& frame) {
    const std::size_t start = out.size();
    bench::append_frame_head(out, frame.payload.size(), false);
    out[start] = static_cast<char>(0x80 | frame.opcode);
    for (std::size_t i = 0; i < frame.payload.size(); ++i) {
      out.push_back(
          static_cast<char>(frame.payload[i] ^ (frame.masked ? frame.mask[i % 4] : '\0')));
    }
  }

  static bool flush(int fd, Connection& connection) {
    if (connection.owed.empty()) {
      return true;
    }
    const ssize_t sent = send(fd, connection.owed.data(), connection.owed.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return errno == EAGAIN;
    }
    connection.owed.erase(0, static_cast<std::size_t>(sent));
    return true;
  }

  int listener_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::unordered_map<int, Connection> connections_;
  char buffer_[bench::kReadBytes];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: bench_echo LISTEN\n");
    return 64;
  }
  bench::prepare_process();
  Echo(bench::parse_address(argv[1])).run();
}
