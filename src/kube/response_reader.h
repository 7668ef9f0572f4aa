#pragma once

// One HTTP/1.1 response, bytes in, head and body out, by Beast's parser: the API server is a peer
// that we chose, so the strict parser of the edge is not needed here. One thread; no I/O.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace holdfast::kube {

class ResponseReader {
 public:
  ResponseReader();
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  /// Takes the next bytes of the connection. An error is final: not HTTP, or a limit is passed.
  base::Status feed(std::string_view bytes);
  /// The connection has ended. An error when the response had not.
  base::Status feed_end();

  [[nodiscard]] bool head_done() const;
  /// The whole response is in.
  [[nodiscard]] bool done() const;
  /// REQUIRES: head_done().
  [[nodiscard]] int status() const;
  [[nodiscard]] std::string header(std::string_view name) const;
  /// True when the connection can carry another request after this response: it is done, stays
  /// open, and brought nothing that nobody asked for.
  [[nodiscard]] bool reusable() const;
  /// The part of the body that has not been taken yet.
  std::string take_body();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace holdfast::kube
