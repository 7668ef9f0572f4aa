#include "proxy/request_id.h"

#include <bit>
#include <random>

#include "base/hash.h"

namespace holdfast::proxy {

Random::Random() : state_() {
  std::random_device device;
  for (std::uint64_t& word : state_) word = (std::uint64_t{device()} << 32) | device();
}

Random::Random(std::uint64_t seed) : state_() {
  for (std::uint64_t& word : state_) word = base::mix(++seed);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::string RequestId::to_string() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[i] = kDigits[(high >> (60 - 4 * i)) & 15];
    text[16 + i] = kDigits[(low >> (60 - 4 * i)) & 15];
  }
  return text;
}

}  // namespace holdfast::proxy
