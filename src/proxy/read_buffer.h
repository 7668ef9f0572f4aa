#pragma once

// Bytes read from a socket and not used yet, in one growing piece of memory. Empty, it holds none.

#include <cstring>
#include <memory>
#include <string_view>

#include "proxy/limits.h"
#include "proxy/socket_set.h"

namespace holdfast::proxy {

class ReadBuffer {
 public:
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool full() const { return size() >= kHeadBufferBytesMost; }
  [[nodiscard]] std::string_view view() const { return {bytes_.get() + begin_, size()}; }

  /// REQUIRES: count <= size().
  void consume(std::size_t count) {
    begin_ += count;
    if (empty()) clear();
  }
  void assign(std::string_view bytes);
  void clear();

  /// Reads once, as much as there is room for without holding more than kHeadBufferBytesMost. Moves
  /// the bytes held: views end here.
  /// REQUIRES: !full().
  Socket::Result receive(Socket& socket);

 private:
  void make_room();

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace holdfast::proxy
