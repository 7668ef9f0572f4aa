#pragma once

// The affinity cookie: what it says, and which endpoint a request's cookies name. The value is
// made of a hash that needs the cluster's salt, so that it shows no address and is the same on
// every worker and every replica. It has one entry, or several where clusters share a cookie: 8 hex
// digits that are those of the cluster, then 32 that are those of the endpoint. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "holdfast/discovery/v1/discovery.pb.h"
#include "http/head.h"
#include "proxy/balancer.h"
#include "proxy/endpoint.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// Behind the name of the cookie of handshakes, where they go to a Service of their own.
inline constexpr std::string_view kWebSocketCookieSuffix = "-websocket";

/// In one cookie: of more clusters the one that was chosen from longest ago is forgotten.
inline constexpr std::size_t kAffinityEntriesMost = 8;

/// A random salt that nobody can guess, for sets that bring none.
std::string make_salt();
std::uint32_t affinity_tag(const std::string& salt, const std::string& cluster);
/// `identity` is what the endpoint is to the cluster: its pod, or its address.
AffinityKey affinity_key(const std::string& salt, const std::string& identity);

/// What the cookies of a request say.
struct AffinityClaim {
  /// The endpoint to go to; none: choose one.
  Pick pick;
  /// There was a cookie of this cluster's, and nothing to go to: it names no endpoint, or one that
  /// is out and may be left.
  bool gone = false;
};

/// All cookies of the name are looked at: another path's may come first. One that another cluster
/// has set says nothing. Terminating endpoints count: a session goes on while its pod serves. Where
/// a pod may be left (affinity-when-gone: rebalance), one that is ejected, being probed or failing
/// checks that are believed (checks_are_believed) counts only while all are out.
AffinityClaim find_claim(const http::RequestHead& request, std::string_view cookie_name,
                         const Balancing& balancing, const Cluster& cluster, base::Instant now);

/// The key of an endpoint of the cluster; absent when it is none.
std::optional<AffinityKey> key_of(const Cluster& cluster, const Endpoint& endpoint);

/// What a cookie's value begins with that names an endpoint of the cluster of `tag`.
std::string affinity_entry(std::uint32_t tag, const AffinityKey& key);
/// What stands in the request's cookies of the name for clusters other than that of `tag`, and goes
/// on behind an entry of its own.
std::string other_entries(const http::RequestHead& request, std::string_view cookie_name,
                          std::uint32_t tag);

/// A Set-Cookie field's value (RFC 6265 section 4.1); without `entries` it takes the cookie away.
/// `matched` is the route's path match, `https` that the request came over TLS.
std::string set_cookie(std::string_view cookie_name, const discovery::v1::Affinity& affinity,
                       std::string_view entries, std::string_view matched, bool https);

}  // namespace holdfast::proxy
