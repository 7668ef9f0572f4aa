#pragma once

// Begins connections to endpoints: to Unix sockets, or over TCP from the source addresses in turn,
// so that local ports do not run out at 64 thousand connections to one endpoint. One thread.

#include <cstddef>
#include <vector>

#include "proxy/address.h"

namespace holdfast::proxy {

class Dialer {
 public:
  /// `sources` outlive it. Without one of an endpoint's family the kernel chooses.
  explicit Dialer(const std::vector<Address>& sources) : sources_(sources) {}

  struct Dialled {
    /// A non-blocking socket with the options of limits.h; -1: there is none.
    int descriptor = -1;
    /// 0: connected; EINPROGRESS: under way; else an errno value, and no descriptor. EAGAIN: so
    /// many wait at that Unix socket that there is no room for one more (unix(7)).
    int error = 0;
  };
  /// A source without a free port is passed over; EADDRNOTAVAIL: none has one.
  Dialled dial(const Address& to);

 private:
  const std::vector<Address>& sources_;
  /// Whose turn it is.
  std::size_t next_ = 0;
};

/// 0 when a socket can be bound to that address, else an errno value.
int check_source(const Address& source);

}  // namespace holdfast::proxy
