#include "proxy/socket_set.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "proxy/socket_options.h"

namespace holdfast::proxy {

Socket::Result Socket::receive(void* buffer, std::size_t size) {
  if (tls_ == nullptr) return receive_raw(buffer, size);
  const Result result = tls_->stream->receive(buffer, size);
  if (result.error == EAGAIN) tls_->readable = false;
  return result;
}

Socket::Result Socket::send(const void* bytes, std::size_t size) {
  if (tls_ == nullptr) return send_raw(bytes, size);
  const Result result = tls_->stream->send(bytes, size);
  if (result.error == EAGAIN || (result.error == 0 && result.bytes < size)) tls_->writable = false;
  return result;
}

Socket::Result Socket::Encryption::receive_raw(void* buffer, std::size_t size) {
  // OpenSSL asks without knowing what has come.
  if (!socket.readable_) return {0, EAGAIN};
  return socket.receive_raw(buffer, size);
}

Socket::Result Socket::Encryption::send_raw(const void* bytes, std::size_t size) {
  if (!socket.writable_) return {0, EAGAIN};
  return socket.send_raw(bytes, size);
}

int Socket::handshake() {
  const int error = tls_->stream->handshake();
  tls_->readable = tls_->writable = error != EAGAIN;
  return error;
}

Socket::Result Socket::receive_raw(void* buffer, std::size_t size) {
  const ssize_t received = ::recv(descriptor_, buffer, size, 0);
  if (received < 0) {
    if (errno == EINTR) return {0, EAGAIN};
    if (errno == EAGAIN) readable_ = false;
    return {0, errno};
  }
  // A short read has emptied the socket (epoll(7)); the end of the stream still has to be read.
  if (static_cast<std::size_t>(received) < size && !peer_ended_) readable_ = false;
  return {static_cast<std::size_t>(received), 0};
}

Socket::Result Socket::send_raw(const void* bytes, std::size_t size) {
  const ssize_t sent = ::send(descriptor_, bytes, size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) return {0, EAGAIN};
    if (errno == EAGAIN) writable_ = false;
    return {0, errno};
  }
  if (static_cast<std::size_t>(sent) < size) writable_ = false;
  return {static_cast<std::size_t>(sent), 0};
}

bool Socket::quiet() {
  if (peer_ended_) return false;
  if (tls_ != nullptr) {
    readable_ = true;
    return tls_->stream->quiet();
  }
  char byte = 0;
  // What is known of the socket may be behind in both directions: a read that was exactly as long
  // as what had come leaves it marked as readable, and news may wait for the next batch of events.
  readable_ = ::recv(descriptor_, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN;
  return !readable_;
}

int Socket::untaken() const {
  int bytes = 0;
  return ::ioctl(descriptor_, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

void Socket::end_sending() {
  if (tls_ != nullptr) {
    tls_->ending = tls_->stream->end_sending() == EAGAIN;
    if (tls_->ending) return;
  }
  ::shutdown(descriptor_, SHUT_WR);
}

void Socket::reset_on_close() {
  proxy::reset_on_close(descriptor_);
  resets_ = true;
}

void Socket::note(unsigned events) {
  if (events & (EPOLLERR | EPOLLHUP)) broken_ = peer_ended_ = true;
  if (events & EPOLLRDHUP) peer_ended_ = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) readable_ = true;
  if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) writable_ = true;
  if (tls_ == nullptr) return;
  tls_->readable = tls_->writable = true;
  if (tls_->ending) end_sending();
}

void Socket::finish() {
  // An end without close_notify would be a cut to the peer.
  if (tls_ != nullptr && !broken_ && !resets_) tls_->stream->end_sending();
  tls_ = nullptr;
  ::close(descriptor_);
  handler_ = nullptr;
}

void SocketCloser::operator()(Socket* socket) const { set->close(socket); }

SocketSet::SocketSet() : events_(std::make_unique<epoll_event[]>(kEventBatch)) {}

SocketSet::~SocketSet() {
  delete_retired();
  if (epoll_ >= 0) ::close(epoll_);
}

base::Status SocketSet::open() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  return absl::OkStatus();
}

SocketPtr SocketSet::add(int descriptor, SocketHandler* handler, bool connected) {
  std::unique_ptr<Socket> socket(new Socket(descriptor, handler));
  socket->writable_ = connected;
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = socket.get();
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    ::close(descriptor);
    return {nullptr, SocketCloser{this}};
  }
  return {socket.release(), SocketCloser{this}};
}

int SocketSet::poll() {
  const int count = ::epoll_wait(epoll_, events_.get(), kEventBatch, 0);
  for (int i = 0; i < count; ++i) {
    Socket& socket = *static_cast<Socket*>(events_[static_cast<std::size_t>(i)].data.ptr);
    if (socket.handler_ == nullptr) continue;
    socket.note(events_[static_cast<std::size_t>(i)].events);
    socket.handler_->on_ready(socket);
  }
  turns_now_.swap(turns_);
  for (std::size_t i = 0; i < turns_now_.size(); ++i) {
    if (turns_now_[i] == nullptr) continue;
    turns_now_[i]->turn_asked_ = false;
    turns_now_[i]->on_turn();
  }
  turns_now_.clear();
  delete_retired();
  return count;
}

void SocketSet::take_turn_later(SocketHandler& handler) {
  if (handler.turn_asked_) return;
  handler.turn_asked_ = true;
  turns_.push_back(&handler);
}

void SocketSet::retire(SocketHandler* handler) {
  std::replace(turns_.begin(), turns_.end(), handler, static_cast<SocketHandler*>(nullptr));
  std::erase(turns_, nullptr);
  std::replace(turns_now_.begin(), turns_now_.end(), handler, static_cast<SocketHandler*>(nullptr));
  retired_.push_back(handler);
}

void SocketSet::close(Socket* socket) {
  socket->finish();
  closed_.emplace_back(socket);
}

void SocketSet::delete_retired() {
  // Deleting a handler may close its sockets, and closing may not run handlers: one pass each.
  while (!retired_.empty()) {
    SocketHandler* handler = retired_.back();
    retired_.pop_back();
    delete handler;
  }
  closed_.clear();
}

}  // namespace holdfast::proxy
