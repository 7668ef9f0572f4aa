#pragma once

// The keys that session tickets (RFC 5077, RFC 8446 section 4.6.1) are sealed with. All workers
// seal with the newest; those before it still open what they have sealed, so that a session resumes
// on any worker for as long as it lives.
//
// rotate() and set() on one thread at a time; current() on any. Keys are wiped when they go.

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tls/limits.h"

namespace holdfast::tls {

struct TicketKey {
  static constexpr std::size_t kNameBytes = 16;
  static constexpr std::size_t kSecretBytes = 32;

  std::array<unsigned char, kNameBytes> name{};
  /// HMAC-SHA256's and AES-256-CBC's.
  std::array<unsigned char, kSecretBytes> seal{};
  std::array<unsigned char, kSecretBytes> cipher{};

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();
};

/// Newest first, one at least.
using TicketKeySet = std::vector<TicketKey>;

/// The keys that everybody derives from one secret at about one time (HMAC-SHA256 of the number of
/// the period): the present period's first, then the next one's and those before. REQUIRES: the
/// secret has kTicketSecretLeast bytes.
TicketKeySet derive_ticket_keys(std::string_view secret, base::WallTime now);

class TicketKeys {
 public:
  /// Begins with a random key.
  TicketKeys();

  /// A new random key becomes the newest.
  void rotate();
  /// Keys that others have too: REQUIRES: not empty, at most kTicketKeysMost.
  void set(TicketKeySet keys);
  [[nodiscard]] std::shared_ptr<const TicketKeySet> current() const { return keys_.load(); }

 private:
  std::atomic<std::shared_ptr<const TicketKeySet>> keys_;
};

}  // namespace holdfast::tls
