#pragma once

// What may stand in the texts of a policy: header fields, cookies, origins, hosts. The controller
// asks for what an annotation says, the validator for what came over the stream. Pure.

#include <string>
#include <string_view>

namespace holdfast::model {

/// A token (RFC 9110 section 5.6.2): the name of a header field, a cookie.
bool is_token(std::string_view text);

/// A header field that a route may set or remove: any but those that frame a message, concern one
/// hop (RFC 9110 section 7.6.1), belong to the WebSocket handshake (RFC 6455 section 11.3), or are
/// Host, Date and Via. REQUIRES: is_token(name).
bool may_be_changed(std::string_view name);

/// A field value without control bytes (RFC 9110 section 5.5) and surrounding space; not empty.
/// UTF-8, though fields need not be: protobuf's strings are nothing else.
bool is_field_value(std::string_view text);

/// An origin as OriginCheck.allowed has it: "SCHEME://HOST[:PORT]" in lower case, HOST with or
/// without "*." in front, without the port of http and https; or "null".
bool is_origin_pattern(std::string_view text);

/// A label of DNS-1123, of any length: the API server looks at the whole name's length only.
bool is_dns_label(std::string_view label);

/// A DNS name in lower case, optionally "*." in front.
bool is_dns_name(std::string_view name);

/// The wildcard that a host is under: "*.b.c" of "a.b.c"; "" where there is none.
std::string wildcard_of(std::string_view host);

/// A Host field: a DNS name or an IP address, in any case, with or without a port.
bool is_host_field(std::string_view text);

/// Printable ASCII without space and without any byte of `without`.
bool is_printable(std::string_view text, std::string_view without = {});

}  // namespace holdfast::model
