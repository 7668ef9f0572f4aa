#include "kube/base64.h"

#include <openssl/evp.h>

#include <cctype>
#include <cstddef>

namespace holdfast::kube {

base::StatusOr<std::string> decode_base64(std::string text) {
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
  const auto bad = [] { return absl::InvalidArgumentError("not base64"); };
  if (text.empty() || text.size() % 4 != 0) return bad();
  std::string result(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return bad();
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  result.resize(static_cast<std::size_t>(length) - padding);
  return result;
}

}  // namespace holdfast::kube
