#pragma once

// What a Stream reads its records from and writes them to: a socket that never blocks.

#include <cstddef>

namespace holdfast::tls {

class Transport {
 public:
  struct Result {
    /// Bytes moved; for a read 0 with no error means that the peer has ended its side.
    std::size_t bytes = 0;
    /// 0, or an errno value; EAGAIN: not now.
    int error = 0;
  };
  virtual Result receive_raw(void* buffer, std::size_t size) = 0;
  virtual Result send_raw(const void* bytes, std::size_t size) = 0;

 protected:
  ~Transport() = default;
};

}  // namespace holdfast::tls
