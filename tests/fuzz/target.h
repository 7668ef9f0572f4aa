#pragma once

// What all fuzz targets share. A target is one function, LLVMFuzzerTestOneInput, that ends the
// process when a requirement does not hold; libFuzzer or replay_test.cc calls it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace holdfast::fuzz {

inline void require(bool holds, std::string_view what, std::string_view detail = {}) {
  if (holds) return;
  std::cerr << "does not hold: " << what << ' ' << detail << std::endl;
  std::abort();
}

/// Bytes in a block of memory of exactly their size, so that a read beyond them is seen.
class Exactly {
 public:
  explicit Exactly(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::vector<char> bytes_;
};

inline std::string_view view_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Replaces "\x01", a count N and a byte by N * 64 of that byte, so that short inputs reach the
/// limits. Gives at most `most` bytes.
inline std::string expand(std::string_view input, std::size_t most) {
  constexpr std::size_t kStep = 64;
  std::string out;
  for (std::size_t i = 0; i < input.size() && out.size() < most; ++i) {
    if (input[i] != '\x01' || i + 2 >= input.size()) {
      out += input[i];
      continue;
    }
    out.append(kStep * static_cast<unsigned char>(input[i + 1]), input[i + 2]);
    i += 2;
  }
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace holdfast::fuzz
