#include "proxy/listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "proxy/session.h"
#include "proxy/socket_options.h"
#include "proxy/worker.h"

namespace holdfast::proxy {

namespace {

base::Status bind_and_listen(int descriptor, const Address& address) {
  const int on = 1;
  const int v6_only = address.family() == AF_INET6 ? 1 : 0;
  if (::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      (v6_only != 0 &&
       ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) != 0)) {
    return absl::ErrnoToStatus(errno, "setting options for " + address.to_string());
  }
  if (const int error = set_tcp_options(descriptor); error != 0) {
    return absl::ErrnoToStatus(error, "setting TCP options for " + address.to_string());
  }
  if (::bind(descriptor, address.data(), address.size()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot bind " + address.to_string());
  }
  if (::listen(descriptor, kListenBacklog) != 0) {
    return absl::ErrnoToStatus(errno, "cannot listen on " + address.to_string());
  }
  return absl::OkStatus();
}

}  // namespace

base::Status Listener::check_free(const Address& address) {
  const base::Descriptor probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  const bool v6 = address.family() == AF_INET6;
  // Without SO_REUSEPORT: with it, the kernel would split the clients between two processes.
  if (probe.get() < 0 || ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (v6 && ::setsockopt(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
      ::bind(probe.get(), address.data(), address.size()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot bind " + address.to_string());
  }
  return absl::OkStatus();
}

base::Status Listener::open(const Address& address) {
  const int descriptor =
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, "socket");
  socket_.assign(descriptor);
  if (base::Status status = bind_and_listen(descriptor, address); !status.ok()) return status;
  sockaddr_storage bound = {};
  socklen_t size = sizeof bound;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return absl::ErrnoToStatus(errno, "getsockname");
  }
  port_ = Address(bound).port();
  wait();
  return absl::OkStatus();
}

void Listener::close() {
  boost::system::error_code
      ignored;  // closing a descriptor that nobody uses any more cannot matter
  socket_.close(ignored);
}

void Listener::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this](const boost::system::error_code& error) {
                       if (error) return;
                       worker_.begin_batch();
                       accept_batch();
                       worker_.end_batch();
                     });
}

void Listener::accept_batch() {
  for (int i = 0; i < kAcceptBatch && accept_one(); ++i) {
  }
  if (!paused_) wait();
}

bool Listener::accept_one() {
  Shared& shared = worker_.shared();
  const std::uint64_t open = shared.connections.load(std::memory_order_relaxed) + 1;
  if (!shared.has_room_for(open)) worker_.upstreams().clear();
  if (!shared.has_room_for(open)) {
    pause("as many connections are open as there are descriptors for");
    return false;
  }
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  const int descriptor = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&peer),
                                   &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) {
    const int error = errno;
    if (is_exhaustion(error)) pause(std::strerror(error));
    // Anything but "nobody is waiting" concerns one connection that is gone already (accept(2)).
    return error != EAGAIN && !paused_;
  }
  worker_.counters().accepted.add();
  if (Session::start(worker_, descriptor, Address(peer), port_, preamble_)) return true;
  pause("the kernel watches no further descriptor");
  return false;
}

void Listener::pause(std::string_view why) {
  if (!paused_) {
    paused_ = true;
    worker_.give_up_kept();
    worker_.counters().accept_paused.add();
    worker_.counters().accept_pauses.add();
    worker_.log_accept_pause(why);
  }
  worker_.set_timer(*this, worker_.now() + kAcceptPause);
}

void Listener::on_deadline() {
  paused_ = false;
  worker_.counters().accept_paused.subtract();
  accept_batch();
}

}  // namespace holdfast::proxy
