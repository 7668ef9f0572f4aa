#include "http/head.h"

#include "http/chars.h"

namespace holdfast::http {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

bool list_has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    if (equal_ignoring_case(take_element(value), token)) return true;
  }
  return false;
}

const Field* Head::find(std::string_view name) const {
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

std::size_t Head::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, name)) ++found;
  }
  return found;
}

bool Head::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields) {
    if (equal_ignoring_case(field.name, name) && list_has_token(field.value, token)) return true;
  }
  return false;
}

const char* to_string(HeadError error) {
  switch (error) {
    case HeadError::kNone:
      return "none";
    case HeadError::kRequestLineTooLong:
      return "request_line_too_long";
    case HeadError::kFieldTooLong:
      return "field_too_long";
    case HeadError::kHeadTooLong:
      return "head_too_long";
    case HeadError::kTooManyFields:
      return "too_many_fields";
    case HeadError::kBadRequestLine:
      return "bad_request_line";
    case HeadError::kBadStatusLine:
      return "bad_status_line";
    case HeadError::kBadMethod:
      return "bad_method";
    case HeadError::kConnectMethod:
      return "connect_method";
    case HeadError::kBadTarget:
      return "bad_target";
    case HeadError::kBadVersion:
      return "bad_version";
    case HeadError::kBadField:
      return "bad_field";
    case HeadError::kBadHost:
      return "bad_host";
    case HeadError::kBadContentLength:
      return "bad_content_length";
    case HeadError::kBadTransferEncoding:
      return "bad_transfer_encoding";
    case HeadError::kUnknownTransferCoding:
      return "unknown_transfer_coding";
    case HeadError::kLengthAndTransferEncoding:
      return "length_and_transfer_encoding";
    case HeadError::kUnderscoreField:
      return "underscore_field";
  }
  return "unknown";
}

}  // namespace holdfast::http
