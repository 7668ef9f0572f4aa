#include "proxy/request_id.h"

#include <bit>
#include <random>

#include "base/hash.h"
#include "base/hex.h"

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

RequestId RequestId::make(Random& random) {
  RequestId id;
  id.high_ = random.next();
  id.low_ = random.next();
  return id;
}

std::string RequestId::hex() const {
  std::string text;
  base::append_hex(text, high_, 16);
  base::append_hex(text, low_, 16);
  return text;
}

}  // namespace holdfast::proxy
