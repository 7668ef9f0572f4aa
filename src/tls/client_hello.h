#pragma once

// What a ClientHello asks for, before OpenSSL has made sense of it. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::tls {

/// The host of a server_name extension's body (RFC 6066 section 3), in lower case. Absent: the body
/// is not valid. One that is no DNS name in text is "", as if none had been given: no ServerName
/// has it.
std::optional<std::string> parse_server_name(std::string_view extension);

}  // namespace holdfast::tls
