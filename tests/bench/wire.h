#pragma once

// What the bench programs share: non-blocking TCP on loopback, epoll, and just enough of RFC 6455
// to open a WebSocket and to send and recognise one frame. One thread. A failure nobody can bench
// through ends the program with one sentence.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace bench {

/// One recv(): larger than any message that is sent here.
constexpr std::size_t kReadBytes = 64 * 1024;
/// Events taken from one epoll_wait().
constexpr int kEvents = 256;
/// No run lasts longer; SIGALRM ends the program.
constexpr unsigned kSecondsMost = 300;
/// Connections waiting in a listening socket.
constexpr int kBacklog = 4096;

[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "%s (%s)\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

/// Takes every descriptor the hard limit allows, and a deadline for the whole program.
inline void prepare_process() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  alarm(kSecondsMost);
}

/// "127.0.0.1:80"; loopback only, since a load tool points nowhere else.
inline sockaddr_in parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const int port = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (port < 1 || port > 65535 ||
      inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1 ||
      (ntohl(address.sin_addr.s_addr) >> 24) != 127) {
    std::fprintf(stderr, "%s is not 127.x.y.z:PORT\n", text.c_str());
    std::exit(64);
  }
  return address;
}

inline int tcp_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    fail("no socket to be had");
  }
  return fd;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline int listen_on(const sockaddr_in& address) {
  const int fd = tcp_socket();
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, kBacklog) != 0) {
    fail("cannot listen");
  }
  return fd;
}

/// A connection under way; writable once it stands.
inline int connect_to(const sockaddr_in& address) {
  const int fd = tcp_socket();
  set_no_delay(fd);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    fail("cannot connect");
  }
  return fd;
}

inline void watch(int epoll, int fd, std::uint32_t events, std::uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    fail("epoll_ctl");
  }
}

/// Appends the head of a final binary frame (RFC 6455, 5.2), without the masking key.
inline void append_frame_head(std::string& out, std::size_t payload, bool masked) {
  const char mask_bit = masked ? '\x80' : '\0';
  out.push_back('\x82');
  if (payload < 126) {
    out.push_back(static_cast<char>(mask_bit | static_cast<char>(payload)));
    return;
  }
  const int bytes = payload < 65536 ? 2 : 8;
  out.push_back(static_cast<char>(mask_bit | (bytes == 2 ? 126 : 127)));
  for (int i = bytes - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(payload >> (8 * i)));
  }
}

/// One frame as it lies at the front of a buffer.
struct FrameView {
  /// 0: the head, or the frame, is not complete yet.
  std::size_t bytes = 0;
  int opcode = 0;
  bool masked = false;
  const char* mask = nullptr;
  std::string_view payload;
};

inline FrameView front_frame(std::string_view buffer) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(buffer[i]));
  };
  FrameView frame;
  if (buffer.size() < 2) {
    return frame;
  }
  frame.opcode = static_cast<int>(byte(0) & 0x0f);
  frame.masked = (byte(1) & 0x80) != 0;
  std::uint64_t length = byte(1) & 0x7f;
  const std::size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
  const std::size_t head = 2 + extra + (frame.masked ? 4 : 0);
  if (buffer.size() < head) {
    return frame;
  }
  if (extra > 0) {
    length = 0;
    for (std::size_t i = 0; i < extra; ++i) {
      length = length << 8 | byte(2 + i);
    }
  }
  if (buffer.size() - head < length) {
    return frame;
  }
  frame.bytes = head + length;
  frame.mask = frame.masked ? buffer.data() + head - 4 : nullptr;
  frame.payload = buffer.substr(head, length);
  return frame;
}

}  // namespace bench
