#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace holdfast::kube {

/// Objects asked for in one page of a list: what client-go asks for; a page of Services or
/// Ingresses is one to two megabytes.
inline constexpr std::uint32_t kListLimit = 500;
/// One page of a list, bytes. An unpaged list (after a 410 in mid-paging) of 50,000 objects of 5
/// KiB.
inline constexpr std::size_t kListBodyBytes = std::size_t{256} << 20;
/// All pages of one list together: objects, and bytes of JSON. The largest clusters that Kubernetes
/// is made for have 150,000 pods and 10,000 Services, and etcd recommends to hold 8 GB of
/// everything at the most.
inline constexpr std::size_t kListObjects = 500'000;
inline constexpr std::size_t kListBytes = std::size_t{1} << 30;
/// The body of an answer that is an error, bytes: a Status object.
inline constexpr std::size_t kStatusBodyBytes = std::size_t{1} << 20;
/// The head of a response, bytes.
inline constexpr std::uint32_t kHeadBytes = 64u << 10;
/// One watch event, bytes. etcd stores objects of 1.5 MB and the API server takes bodies of 3 MiB;
/// JSON may be several times that.
inline constexpr std::size_t kEventBytes = std::size_t{16} << 20;
/// A watch keeps a buffer of at most so many bytes from one event to the next: one large event
/// should not leave its buffer behind for the life of the watch.
inline constexpr std::size_t kEventBufferBytesKept = std::size_t{1} << 20;
/// One read from a connection, bytes: a TLS record holds 16 KiB.
inline constexpr std::size_t kReadBytes = std::size_t{32} << 10;
/// Levels of nesting in a JSON text or a YAML document. Our kinds have about 15, managedFields
/// more.
inline constexpr int kNesting = 200;

/// Waits between tries: 800 ms to 30 s, as client-go's reflector.
inline constexpr std::chrono::milliseconds kBackoffFirst{800};
inline constexpr std::chrono::seconds kBackoffMost{30};
/// Health of this length makes the next wait short again: where something cuts every stream after
/// some seconds, the view would else be up to half a minute old for ever. That costs the API server
/// a request each six seconds, of each kind.
inline constexpr std::chrono::seconds kHealthyAfter{5};
/// A Retry-After beyond this is cut: no wait of ours is longer, so that the view is right again
/// soon after the last fault.
inline constexpr std::chrono::seconds kRetryAfterMost = kBackoffMost;
/// The first list begins within this, drawn at random: replicas that start together should not
/// knock in lock-step.
inline constexpr std::chrono::milliseconds kStartJitter{250};
/// Answers in a row that say that the API server has not reached the version we saw, before the
/// newest state is listed. One may come from a replica that lags (it waits 3 s before it says so).
inline constexpr int kBehindAnswers = 2;
/// A watch that ends sooner and brought nothing new is an error, or a broken middlebox would make
/// us spin.
inline constexpr std::chrono::seconds kShortWatch{1};
/// A watch that lived this long and brought nothing, not even a bookmark (one is sent about each
/// minute), may be waiting for a resource version that a restored etcd will reach in a year.
inline constexpr std::chrono::minutes kSilentWatchAge{3};
/// ERROR events with code 500 in a row, without anything new between, before a full list.
inline constexpr int kErrorEventRetries = 5;
/// Streamed lists in a row that end in an ERROR event, before plain lists are made for good: an API
/// server on an etcd that is too old says 500 to each.
inline constexpr int kStreamedListTries = 3;
/// Namespaces that are followed one by one: each costs a connection a kind.
inline constexpr std::size_t kNamespacesMost = 64;
/// timeoutSeconds of a watch is drawn from [least, most), so that watches do not end together.
inline constexpr std::chrono::seconds kWatchTimeoutLeast{300};
inline constexpr std::chrono::seconds kWatchTimeoutMost{600};
/// How much later than timeoutSeconds we end a watch that the API server has not ended.
inline constexpr std::chrono::seconds kWatchSlack{30};

/// Name resolution, TCP and TLS handshake together.
inline constexpr std::chrono::seconds kConnectTimeout{15};
/// From the request to the head of the response. The API server's own limit is 60 s.
inline constexpr std::chrono::seconds kHeadTimeout{70};
/// From the head of the response to the end of one page.
inline constexpr std::chrono::seconds kBodyTimeout{120};
/// TCP keepalive: dead after 15 s + 3 × 5 s; unacknowledged data: the same (TCP_USER_TIMEOUT). No
/// longer than the longest wait, and a link that is back is tried within the first 15 s.
inline constexpr std::chrono::seconds kKeepaliveIdle{15};
inline constexpr std::chrono::seconds kKeepaliveInterval{5};
inline constexpr int kKeepaliveProbes = 3;
inline constexpr std::chrono::seconds kUserTimeout{30};

/// Each step of a single request (connecting, the answer's head, its body): half of what a leader
/// has to renew its lease.
inline constexpr std::chrono::seconds kCallTimeout{5};
/// The body of an answer to a single request, bytes: etcd stores objects of 1.5 MB, and JSON may be
/// several times that.
inline constexpr std::size_t kAnswerBytes = std::size_t{8} << 20;

/// The election's times, as client-go has them: a record that has not changed for the first one may
/// be taken over; a leader that has not renewed for the second stops acting; tries are the third
/// apart, and up to that times kLeaseJitter more.
inline constexpr std::chrono::seconds kLeaseDuration{15};
inline constexpr std::chrono::seconds kLeaseRenewDeadline{10};
inline constexpr std::chrono::seconds kLeaseRetryPeriod{2};
inline constexpr double kLeaseJitter = 1.2;

/// A rotated token is in use this long after it was written.
inline constexpr std::chrono::seconds kTokenRefresh{60};
/// The same for the certificate authorities and the client certificate; after a failed request they
/// are read before the next connection is made.
inline constexpr std::chrono::minutes kCertificateRefresh{5};
/// A token, a certificate, a key or a kubeconfig, bytes.
inline constexpr std::size_t kCredentialFileBytes = std::size_t{4} << 20;

/// One manifest file, bytes: about 20,000 Ingresses.
inline constexpr std::size_t kManifestFileBytes = std::size_t{16} << 20;
/// One read from a manifest file, bytes: most are smaller.
inline constexpr std::size_t kManifestReadBytes = std::size_t{64} << 10;
/// One read of file events, bytes: some hundred of them; a longer queue takes more reads.
inline constexpr std::size_t kInotifyReadBytes = std::size_t{16} << 10;
/// Files of the manifest folder.
inline constexpr std::size_t kManifestFiles = 10'000;
/// Values, and bytes of text, that one YAML document may unfold to: stops documents that multiply
/// by aliases. An Ingress has about 40 values.
inline constexpr std::size_t kYamlValues = 1'000'000;
inline constexpr std::size_t kYamlTextBytes = std::size_t{64} << 20;
/// The folder is read after it has been quiet for this long, so that a file is not read while it is
/// being written; after the second one whatever happens.
inline constexpr std::chrono::milliseconds kManifestSettle{20};
inline constexpr std::chrono::milliseconds kManifestSettleMost{500};
/// How often a folder that is gone is looked for.
inline constexpr std::chrono::milliseconds kManifestRetry{500};

}  // namespace holdfast::kube
