#pragma once

// Where a name must not lead: to the machine that Holdfast runs on, and to what serves only the
// machine itself, such as a cloud's metadata. Pure; any thread.

#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "base/status.h"

namespace holdfast::dns {

/// What kind of address it is that is not served ("loopback"); empty: it may be. An IPv4-mapped or
/// NAT64 address (RFC 4291 section 2.5.5.2, RFC 6052) is judged by the IPv4 address in it.
std::string_view refusal_of(const base::IpAddress& address);

/// A Service's spec.externalName in the one form that is asked for: small letters, no dot at the
/// end. An IP address passes. The error is a sentence's first half: what is wrong with the name.
base::StatusOr<std::string> canonical_name(const std::string& text);

}  // namespace holdfast::dns
