#include "kube/watch_framer.h"

#include "kube/limits.h"

namespace holdfast::kube {

void WatchFramer::append(std::string_view bytes) {
  if (overflowed_) return;
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.empty() && buffer_.capacity() > kEventBufferBytesKept) buffer_ = std::string();
  buffer_ += bytes;
}

std::optional<std::string_view> WatchFramer::next() {
  while (!overflowed_) {
    const std::size_t newline = buffer_.find('\n', searched_);
    const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
    if (end - begin_ > most_) {
      overflowed_ = true;
      break;
    }
    searched_ = end;
    if (newline == std::string::npos) break;
    const std::string_view event(buffer_.data() + begin_, end - begin_);
    begin_ = searched_ = end + 1;
    if (event.find_first_not_of(" \t\r") != std::string_view::npos) return event;
  }
  return std::nullopt;
}

}  // namespace holdfast::kube
