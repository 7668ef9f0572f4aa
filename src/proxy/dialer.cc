#include "proxy/dialer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/descriptor.h"
#include "proxy/socket_options.h"

namespace holdfast::proxy {

namespace {

int make_socket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                  family == AF_UNIX ? 0 : IPPROTO_TCP);
}

/// 0 or an errno value. The port is chosen at connect(), when the kernel knows the other end: one
/// port can then lead to many endpoints (ip(7), IP_BIND_ADDRESS_NO_PORT).
int bind_source(int descriptor, const Address& source) {
  const int on = 1;
  if (::setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0) {
    return errno;
  }
  return ::bind(descriptor, source.data(), source.size()) == 0 ? 0 : errno;
}

Dialer::Dialled dial_from(const Address* source, const Address& to) {
  const int descriptor = make_socket(to.family());
  if (descriptor < 0) return {-1, errno};
  int error = to.is_unix() ? 0 : set_tcp_options(descriptor);
  if (error == 0 && source != nullptr) error = bind_source(descriptor, *source);
  if (error == 0 && ::connect(descriptor, to.data(), to.size()) != 0) error = errno;
  if (error == 0 || error == EINPROGRESS) return {descriptor, error};
  ::close(descriptor);
  return {-1, error};
}

}  // namespace

Dialer::Dialled Dialer::dial(const Address& to) {
  Dialled last{-1, EADDRNOTAVAIL};
  bool has_source = false;
  for (std::size_t i = 0; i < sources_.size() && last.error == EADDRNOTAVAIL; ++i) {
    const Address& source = sources_[next_++ % sources_.size()];
    if (source.family() != to.family()) continue;
    has_source = true;
    last = dial_from(&source, to);
  }
  return has_source ? last : dial_from(nullptr, to);
}

int check_source(const Address& source) {
  const base::Descriptor descriptor(make_socket(source.family()));
  if (descriptor.get() < 0) return errno;
  return bind_source(descriptor.get(), source);
}

}  // namespace holdfast::proxy
