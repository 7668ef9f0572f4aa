#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::admin {

/// Connections at a time; one more closes the oldest, so that forgotten ones never lock out a
/// probe. Room for a few scrapers, a kubelet and a person with several tabs.
inline constexpr std::size_t kConnectionsMost = 64;
/// Request line and fields. Browsers send 1 to 2 KiB.
inline constexpr std::size_t kHeadBytesMost = std::size_t{8} << 10;
/// For a head to arrive, counted from its first byte, and for an answer to be taken. Prometheus
/// gives up after 10 seconds by default.
inline constexpr std::chrono::milliseconds kRequestTimeout{10'000};
/// Between two requests of a connection. Longer than Prometheus's default interval of a minute.
inline constexpr std::chrono::milliseconds kIdleTimeout{90'000};
/// What is read and thrown away after an answer that ends a connection, so that the peer sees it.
inline constexpr std::size_t kDiscardBytesMost = std::size_t{64} << 10;
/// Pause before accepting again when descriptors or memory ran out.
inline constexpr std::chrono::milliseconds kAcceptPause{500};
/// Waiting connections that the kernel keeps.
inline constexpr int kBacklog = 64;
/// For one page of another process, from the connect to the last byte. Longer than a debug page
/// waits for its threads.
inline constexpr std::chrono::milliseconds kFetchPatience{10'000};
/// The most that such a page may have: some hundred thousand routes.
inline constexpr std::size_t kFetchBytesMost = std::size_t{256} << 20;

}  // namespace holdfast::admin
