// The limit that the bench compares with: a relay on bare epoll that parses nothing. One thread,
// one recv and one send a message, connections registered once (edge-triggered).
//
//   bench_relay LISTEN UPSTREAM      both 127.x.y.z:PORT

#include <memory>
#include <unordered_map>

#include "wire.h"

namespace {

/// One of the two connections of a pair, and the bytes that it still owes to its peer.
struct Side {
  int fd = -1;
  Side* peer = nullptr;
  std::string owed;  // read from the peer, not yet written here
  bool connected = true;
  bool ended = false;  // nothing more comes from here
};

class Relay {
 public:
  Relay(const sockaddr_in& listen, const sockaddr_in& upstream)
      : upstream_(upstream), listener_(bench::listen_on(listen)) {
    bench::watch(epoll_, listener_, EPOLLIN, 0);
  }

  void run() {
    epoll_event events[bench::kEvents];
    for (;;) {
      const int count = epoll_wait(epoll_, events, bench::kEvents, -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u64 == 0) {
          accept_all();
          continue;
        }
        const auto found = sides_.find(static_cast<int>(events[i].data.u64));
        if (found != sides_.end()) {
          serve(*found->second, events[i].events);
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
      Side& downstream = add(fd);
      Side& upstream = add(bench::connect_to(upstream_));
      upstream.connected = false;
      downstream.peer = &upstream;
      upstream.peer = &downstream;
    }
  }

  Side& add(int fd) {
    auto& side = sides_[fd] = std::make_unique<Side>();
    side->fd = fd;
    bench::watch(epoll_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                 static_cast<std::uint64_t>(fd));
    return *side;
  }

  void serve(Side& side, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      side.connected = true;
      if (!flush(side)) {
        return close_pair(side);
      }
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 &&
        !pump(side, (events & EPOLLRDHUP) != 0)) {
      close_pair(side);
    }
  }

  /// False: the connection broke.
  bool flush(Side& side) {
    if (side.owed.empty()) {
      return true;
    }
    const ssize_t sent = send(side.fd, side.owed.data(), side.owed.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      return errno == EAGAIN;
    }
    side.owed.erase(0, static_cast<std::size_t>(sent));
    return !side.owed.empty() || pump(*side.peer, true);
  }

  /// Reads until the socket is empty, or the peer is owed something. False: both are finished.
  /// A short read empties a stream socket (epoll(7)), but says nothing of an end behind it.
  bool pump(Side& side, bool end_may_follow) {
    Side& peer = *side.peer;
    while (peer.owed.empty() && !side.ended) {
      const ssize_t got = recv(side.fd, buffer_, sizeof buffer_, 0);
      if (got < 0) {
        return errno == EAGAIN;
      }
      if (got == 0) {
        side.ended = true;
        shutdown(peer.fd, SHUT_WR);
        break;
      }
      ssize_t sent =
          peer.connected ? send(peer.fd, buffer_, static_cast<std::size_t>(got), MSG_NOSIGNAL) : 0;
      if (sent < 0 && errno != EAGAIN) {
        return false;
      }
      sent = sent < 0 ? 0 : sent;
      if (sent < got) {
        peer.owed.assign(buffer_ + sent, static_cast<std::size_t>(got - sent));
      }
      if (static_cast<std::size_t>(got) < sizeof buffer_ && !end_may_follow) {
        return true;
      }
    }
    return !(side.ended && peer.ended);
  }

  void close_pair(Side& side) {
    const int other = side.peer->fd;
    const int own = side.fd;
    close(own);
    close(other);
    sides_.erase(own);
    sides_.erase(other);
  }

  sockaddr_in upstream_;
  int listener_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::unordered_map<int, std::unique_ptr<Side>> sides_;
  char buffer_[bench::kReadBytes];
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_relay LISTEN UPSTREAM\n");
    return 64;
  }
  bench::prepare_process();
  Relay(bench::parse_address(argv[1]), bench::parse_address(argv[2])).run();
}
