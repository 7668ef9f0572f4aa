#pragma once

// Cuts the byte stream of a watch into events: JSON texts that end with a newline, in pieces of any
// size. Bytes in, texts out; one thread; holds at most one event and one piece.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::kube {

class WatchFramer {
 public:
  /// `most`: bytes that one event may have.
  explicit WatchFramer(std::size_t most) : most_(most) {}

  void append(std::string_view bytes);
  /// The next whole event, without its newline; blank lines are skipped. Valid until append().
  std::optional<std::string_view> next();
  /// An event is longer than allowed. From then on next() gives nothing.
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  /// Bytes of an event whose end has not come.
  [[nodiscard]] std::size_t pending() const { return buffer_.size() - begin_; }

 private:
  std::size_t most_;
  std::string buffer_;
  /// Start of the first event not yet given out, and how far it was searched for a newline, so that
  /// an event in a million pieces costs no more than in one.
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;
  bool overflowed_ = false;
};

}  // namespace holdfast::kube
