#include "proxy/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

bool set(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

}  // namespace

int set_tcp_options(int descriptor) {
  const auto user_timeout = static_cast<int>(std::chrono::milliseconds(kTcpUserTimeout).count());
  const bool done =
      set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) &&
      set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
      set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(kTcpKeepAliveIdle.count())) &&
      set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL,
          static_cast<int>(kTcpKeepAliveInterval.count())) &&
      set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout);
  return done ? 0 : errno;
}

void reset_on_close(int descriptor) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  // It fails for a descriptor that is no socket alone (setsockopt(2)).
  static_cast<void>(::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
}

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace holdfast::proxy
