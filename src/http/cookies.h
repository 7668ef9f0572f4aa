#pragma once

// Cookie fields of requests, strictly (RFC 6265 section 4.2.1). Pure; any thread.

#include <string_view>

#include "http/head.h"

namespace holdfast::http {

/// The values of the cookies of one name, in the order of the request. A cookie that is not of the
/// form name=value, or whose value has a byte that none may have, is passed over; others are not its
/// fault. The head outlives it.
class CookieValues {
 public:
  CookieValues(const Head& head, std::string_view name) : head_(head), name_(name) {}

  /// Takes the next; false: there is none. A quoted value keeps its quotes.
  bool next(std::string_view& value);

 private:
  const Head& head_;
  const std::string_view name_;
  /// The field after the one that is taken from, and what is left of that one.
  std::size_t field_ = 0;
  std::string_view rest_;
};

}  // namespace holdfast::http
