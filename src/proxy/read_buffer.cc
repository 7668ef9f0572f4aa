#include "proxy/read_buffer.h"

#include <algorithm>

namespace holdfast::proxy {

void ReadBuffer::clear() {
  bytes_.reset();
  capacity_ = begin_ = end_ = 0;
}

void ReadBuffer::assign(std::string_view bytes) {
  if (bytes.empty()) {
    clear();
    return;
  }
  std::unique_ptr<char[]> copy(new char[bytes.size()]);
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  bytes_ = std::move(copy);
  capacity_ = end_ = bytes.size();
  begin_ = 0;
}

void ReadBuffer::make_room() {
  if (end_ < capacity_) return;
  const std::size_t held = size();
  const std::size_t capacity =
      std::clamp(held * 2, kHeadBufferBytesFirst, std::max(held, kHeadBufferBytesMost));
  std::unique_ptr<char[]> larger(new char[capacity]);
  if (held > 0) std::memcpy(larger.get(), bytes_.get() + begin_, held);
  bytes_ = std::move(larger);
  capacity_ = capacity;
  begin_ = 0;
  end_ = held;
}

Socket::Result ReadBuffer::receive(Socket& socket) {
  make_room();
  const Socket::Result result = socket.receive(bytes_.get() + end_, capacity_ - end_);
  end_ += result.bytes;
  if (empty()) clear();
  return result;
}

}  // namespace holdfast::proxy
