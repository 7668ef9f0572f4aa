#include "base/url_path.h"

#include <optional>

namespace holdfast::base {

namespace {

constexpr std::size_t kEscapeBytes = 3;

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

/// Reads a path byte by byte, decoded.
class Reader {
 public:
  explicit Reader(std::string_view path) : path_(path) {}

  [[nodiscard]] bool at_end() const { return at_ == path_.size(); }
  /// Bytes of the path that were read.
  [[nodiscard]] std::size_t position() const { return at_; }
  /// The next decoded byte. REQUIRES: !at_end().
  [[nodiscard]] char peek() const { return look().decoded; }
  char next() {
    const Byte byte = look();
    at_ += byte.bytes;
    return byte.decoded;
  }
  void skip_slashes() {
    while (!at_end() && peek() == '/') next();
  }

 private:
  struct Byte {
    char decoded;
    std::size_t bytes;
  };
  [[nodiscard]] Byte look() const {
    if (path_[at_] == '%' && path_.size() - at_ >= kEscapeBytes) {
      const auto high = hex_digit(path_[at_ + 1]);
      const auto low = hex_digit(path_[at_ + 2]);
      if (high && low) return {static_cast<char>(*high << 4 | *low), kEscapeBytes};
    }
    return {path_[at_], 1};
  }

  std::string_view path_;
  std::size_t at_ = 0;
};

/// It has no escape, no run of slashes and no segment that begins with a dot: what nearly every
/// path is like.
bool is_plain(std::string_view path) {
  char before = '\0';
  for (const char c : path) {
    if (c == '%' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

}  // namespace

std::string_view matched_path(std::string_view path, std::string& storage) {
  if (is_plain(path)) return path;
  storage.clear();
  storage.reserve(path.size());
  for (Reader reader(path); !reader.at_end();) {
    const char c = reader.next();
    storage += c;
    if (c == '/') reader.skip_slashes();
  }
  return storage;
}

std::string canonical_path(std::string_view path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kEscaped = "%?#";
  std::string storage;
  std::string canonical;
  for (const char c : matched_path(path, storage)) {
    if (c > ' ' && c < '\x7f' && kEscaped.find(c) == std::string_view::npos) {
      canonical += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    canonical += '%';
    canonical += kDigits[byte >> 4];
    canonical += kDigits[byte & 0xf];
  }
  return canonical;
}

bool has_dot_segment(std::string_view path) {
  if (is_plain(path)) return false;
  bool only_dots = false;
  std::size_t size = 0;
  for (Reader reader(path); !reader.at_end();) {
    const char c = reader.next();
    if (c == '/') {
      if (only_dots && (size == 1 || size == 2)) return true;
      only_dots = true;
      size = 0;
    } else {
      only_dots = only_dots && c == '.';
      ++size;
    }
  }
  return only_dots && (size == 1 || size == 2);
}

std::size_t bytes_matched(std::string_view path, std::size_t matched) {
  Reader reader(path);
  while (matched > 0 && !reader.at_end()) {
    --matched;
    if (reader.next() == '/') reader.skip_slashes();
  }
  return reader.position();
}

}  // namespace holdfast::base
