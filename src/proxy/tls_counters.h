#pragma once

// What a worker counts of TLS handshakes with clients.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/counter.h"
#include "tls/stream.h"

namespace holdfast::proxy {

enum class TlsVersion : std::uint8_t { k12, k13 };
inline constexpr std::array<std::string_view, 2> kTlsVersionLabels = {"1.2", "1.3"};

struct TlsCounters {
  Counter under_way;
  /// By version; [1]: sessions that were resumed.
  std::array<std::array<Counter, 2>, kTlsVersionLabels.size()> done;
  std::array<Counter, tls::kHandshakeFailureCount> failed;

  void count_done(const tls::Stream& stream) {
    const auto version = stream.version() == "TLSv1.3" ? TlsVersion::k13 : TlsVersion::k12;
    done[static_cast<std::size_t>(version)][stream.resumed() ? 1 : 0].add();
  }
};

}  // namespace holdfast::proxy
