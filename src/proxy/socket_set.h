#pragma once

// The descriptors of a worker's connections, in one edge-triggered epoll instance: registered once,
// at accept or connect, and never moved until they are closed. A socket whose bytes are encrypted
// is the same to whoever reads and writes it. One thread. The set must outlive its sockets.

#include <cstddef>
#include <memory>
#include <vector>

#include "base/status.h"
#include "proxy/limits.h"
#include "tls/stream.h"

struct epoll_event;

namespace holdfast::proxy {

class Socket;
class SocketSet;

/// Who is told that a socket may be worth another try.
class SocketHandler {
 public:
  /// New readiness has been noted on the socket. May close any socket, this one included, and may
  /// retire its own object (SocketSet::retire), but must not delete it.
  virtual void on_ready(Socket& socket) = 0;
  /// A turn that was asked for by SocketSet::take_turn_later().
  virtual void on_turn() = 0;

 protected:
  friend class SocketSet;
  virtual ~SocketHandler() = default;

 private:
  bool turn_asked_ = false;
};

/// A connected (or connecting) stream socket and what is known of its readiness. Errors are errno
/// values; reads and writes never block.
class Socket {
 public:
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// EAGAIN: wait for readiness.
  using Result = tls::Transport::Result;

  /// REQUIRES: size > 0.
  Result receive(void* buffer, std::size_t size);
  Result send(const void* bytes, std::size_t size);
  /// Nothing waits to be read and the peer is still there, as the kernel says now.
  bool quiet();
  /// Bytes sent that the peer's kernel has not taken yet (tcp(7), SIOCOUTQ); 0 when it cannot be
  /// told.
  [[nodiscard]] int untaken() const;
  /// The peer sees the end of our side.
  void end_sending();
  /// Closing the socket will reset the connection: what is not acknowledged is lost, and the peer
  /// knows that it is.
  void reset_on_close();

  /// What is read and written from here on is encrypted. `make` gets the Transport that the stream
  /// is to use, and may give null. False: it has.
  template <class Make>
  bool encrypt(Make make) {
    tls_ = std::make_unique<Encryption>(*this);
    tls_->stream = make(static_cast<tls::Transport&>(*tls_));
    if (tls_->stream == nullptr) tls_ = nullptr;
    return tls_ != nullptr;
  }
  /// Goes on with the handshake. 0: it is done; EAGAIN: wait for any readiness.
  int handshake();
  /// What is written from here on goes out as it is.
  void stop_encrypting() { tls_ = nullptr; }
  /// Null: nothing is encrypted.
  [[nodiscard]] tls::Stream* tls() const { return tls_ == nullptr ? nullptr : tls_->stream.get(); }

  /// A try may bring something. With TLS either may take what the other needs, so that news of one
  /// is news of both.
  [[nodiscard]] bool readable() const { return tls_ == nullptr ? readable_ : tls_->readable; }
  [[nodiscard]] bool writable() const { return tls_ == nullptr ? writable_ : tls_->writable; }
  /// The peer has ended its side (there may be bytes left to read) or the connection is broken.
  [[nodiscard]] bool peer_ended() const { return peer_ended_; }
  /// The connection is broken in both directions.
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  void set_handler(SocketHandler* handler) { handler_ = handler; }

 private:
  friend class SocketSet;
  Socket(int descriptor, SocketHandler* handler) : handler_(handler), descriptor_(descriptor) {}

  /// What stands between the descriptor and what the socket carries.
  struct Encryption final : tls::Transport {
    explicit Encryption(Socket& of) : socket(of) {}
    Result receive_raw(void* buffer, std::size_t size) override;
    Result send_raw(const void* bytes, std::size_t size) override;

    Socket& socket;
    std::unique_ptr<tls::Stream> stream;
    bool readable = true;
    bool writable = true;
    /// Our side is to end once the descriptor takes close_notify.
    bool ending = false;
  };

  Result receive_raw(void* buffer, std::size_t size);
  Result send_raw(const void* bytes, std::size_t size);
  void note(unsigned events);
  void finish();

  SocketHandler* handler_;
  std::unique_ptr<Encryption> tls_;
  int descriptor_;
  // Of the descriptor.
  bool readable_ = false;
  bool writable_ = false;
  bool peer_ended_ : 1 = false;
  bool broken_ : 1 = false;
  bool resets_ : 1 = false;
};

/// Closes its socket through the set; the memory lives until the current batch of events is done.
struct SocketCloser {
  SocketSet* set = nullptr;
  void operator()(Socket* socket) const;
};
using SocketPtr = std::unique_ptr<Socket, SocketCloser>;

class SocketSet {
 public:
  /// REQUIRES: open() before anything else.
  SocketSet();
  ~SocketSet();
  base::Status open();
  [[nodiscard]] int descriptor() const { return epoll_; }

  /// Takes over a non-blocking descriptor. Null, with the descriptor closed, when the kernel
  /// refuses.
  SocketPtr add(int descriptor, SocketHandler* handler, bool connected);

  /// Takes one batch of events and tells the handlers, then gives the turns asked for so far; what
  /// is asked for during a turn is for the next poll(). Returns the number of events.
  int poll();
  /// Calls on_turn() once, at the end of the poll() under way or the next.
  void take_turn_later(SocketHandler& handler);
  [[nodiscard]] bool has_turns() const { return !turns_.empty(); }
  /// Deletes a handler once nothing of the current batch can refer to it: at the end of poll(), or
  /// at delete_retired() when it was retired outside of one.
  void retire(SocketHandler* handler);
  void delete_retired();

 private:
  friend struct SocketCloser;
  void close(Socket* socket);

  int epoll_ = -1;
  std::unique_ptr<epoll_event[]> events_;
  std::vector<SocketHandler*> turns_;
  std::vector<SocketHandler*> turns_now_;
  std::vector<std::unique_ptr<Socket>> closed_;
  std::vector<SocketHandler*> retired_;
};

}  // namespace holdfast::proxy
