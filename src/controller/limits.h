#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::controller {

/// A change waits this long for company: one `kubectl apply` writes several objects within it.
inline constexpr std::chrono::milliseconds kDebounceDelay{5};
/// A steady trickle of changes publishes at least this often.
inline constexpr std::chrono::milliseconds kDebounceMaximum{50};
static_assert(kDebounceDelay < kDebounceMaximum);

/// So long the first answer about an object that another one names is waited for, before it counts
/// as absent: three tries of a request that fails at once, and their waits.
inline constexpr std::chrono::seconds kWantedPatience{5};

/// Defaults of the route policies, where no annotation says otherwise.
inline constexpr std::chrono::seconds kConnectTimeout{5};
inline constexpr std::chrono::hours kIdleTimeout{1};
inline constexpr std::chrono::seconds kRequestTimeout{60};
/// Shorter than for plain requests: an upgrade is answered at once or not at all.
inline constexpr std::chrono::seconds kUpgradeTimeout{10};
/// As long as a runtime takes to warm up: after it, least connections fills the newcomer.
inline constexpr std::chrono::seconds kSlowStart{30};
/// Three refusals in a row are no accident; ten seconds are shorter than a readiness probe takes to
/// notice, so that nobody misses an endpoint that is back.
inline constexpr std::uint32_t kEjectAfter = 3;
inline constexpr std::chrono::seconds kEjectFor{10};
/// As Kubernetes' own probes (core/v1 Probe).
inline constexpr std::chrono::seconds kHealthInterval{10};
inline constexpr std::chrono::seconds kHealthTimeout{1};
/// Per cent of the mean: the bound of the paper on consistent hashing with bounded loads, at which
/// few keys leave their place.
inline constexpr std::uint32_t kBalanceFactor = 125;
inline constexpr const char* kCookieName = "holdfast";
/// A client's own authority and the one that it is a part of.
inline constexpr std::uint32_t kClientCertificateDepth = 1;

/// A path of an Ingress. The edge takes request lines of 8 KiB; nobody writes paths that long by
/// hand, and each is kept once in every data plane.
inline constexpr std::size_t kPathBytes = 1024;
/// Hosts that one Ingress serves over TLS, each of them once for each Secret. An Ingress of the
/// largest size has room for more, which nobody could serve.
inline constexpr std::size_t kTlsClaimsMost = 10'000;
/// Secrets that are followed because an Ingress names them in an annotation: each costs a
/// connection to the API server and 130 KiB, so that the whole are 130 MiB; and one namespace may
/// not take all there is from the others. They are also at most an eighth of the descriptors of the
/// process.
inline constexpr std::size_t kNamedSecretsMost = 1000;
inline constexpr std::size_t kNamedSecretsOfANamespace = 128;
/// Of so many descriptors of the process one is for such a Secret: the rest is for clients, and for
/// what is followed as a whole.
inline constexpr std::size_t kDescriptorsPerNamedSecret = 8;
/// What a host's routes leave of its resource (model::kResourceBytes), bytes: more than the host's
/// own fields take. Each of its routes and policies has, on top of itself, a tag and a length.
inline constexpr std::size_t kHostFieldBytes = 1024;
inline constexpr std::size_t kListEntryBytes = 6;
/// Endpoints of one EndpointSet, as far as they fit into one resource (model::kResourceBytes),
/// which they do with 200 bytes each. A cluster has at most 5,000 nodes. Beyond it the rest is left
/// out, and that is a problem of the Service.
inline constexpr std::size_t kEndpointsPerSet = 5000;
/// A Pod's UID has 36 bytes, a zone is a label's value of at most 63.
inline constexpr std::size_t kEndpointLabelBytes = 63;

/// Between two tries to write where the API server refuses or cannot be reached.
inline constexpr std::chrono::seconds kWriteBackoffFirst{1};
inline constexpr std::chrono::seconds kWriteBackoffMost{30};
/// Writes of one status that may be refused because somebody else wrote in between, one after the
/// other (client-go: 5), and the wait between them.
inline constexpr int kConflictTries = 5;
inline constexpr std::chrono::milliseconds kConflictWait{10};

/// Events a second, and at once, for all objects: a cluster's worth of broken Ingresses must not
/// keep the API server busy.
inline constexpr double kEventsPerSecond = 10;
inline constexpr double kEventsAtOnce = 50;
/// The same of one object: one that flaps is told of twice a minute.
inline constexpr double kEventsPerSecondOfAnObject = 1.0 / 30;
inline constexpr double kEventsAtOnceOfAnObject = 25;
/// The API server forgets an Event an hour after it was last written.
inline constexpr std::chrono::minutes kEventRefresh{30};
/// Problems that Events are kept up for; further ones are in the log and in /debug/config.
inline constexpr std::size_t kEventsMost = 10'000;
/// Event.message, bytes: what the API server takes.
inline constexpr std::size_t kEventMessageBytes = 1024;

/// Problems shown of one object: an Ingress with 10,000 bad paths needs no 10,000 log lines.
inline constexpr std::size_t kProblemsPerObject = 32;
/// How much of a bad value a message quotes.
inline constexpr std::size_t kQuotedBytes = 64;

}  // namespace holdfast::controller
