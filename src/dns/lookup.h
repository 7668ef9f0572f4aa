#pragma once

// One question over time: what is known of its answer, and when to ask again. Pure: time is handed
// in. One thread. Never fails.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "dns/client.h"

namespace holdfast::dns {

class Lookup {
 public:
  enum class State {
    /// Nothing was answered yet.
    kUnknown,
    kAnswered,
    /// The last answer was that there is nothing.
    kNothing,
    /// The last question was not answered.
    kFailing,
  };

  explicit Lookup(std::uint64_t seed);

  /// Takes an answer that came at `now`; returns how long it counts.
  base::Duration take(const Answer& answer, base::Instant now);

  [[nodiscard]] State state() const { return state_; }
  /// What may be served, sorted and without duplicates, at most kAddressesMost. Those of the last
  /// positive answer also while there is none; they go when DNS has denied them for
  /// kGonePatience without a pause.
  [[nodiscard]] const std::vector<base::IpAddress>& addresses() const { return addresses_; }
  /// Addresses of the last positive answer that are not served, with what they are.
  [[nodiscard]] const std::vector<std::pair<base::IpAddress, std::string_view>>& refused() const {
    return refused_;
  }
  /// Of the last positive answer some were left out, being more than kAddressesMost.
  [[nodiscard]] bool cut() const { return cut_; }
  /// Of kNothing: NXDOMAIN, rather than a name without such records.
  [[nodiscard]] bool denied() const { return denied_; }
  /// Of kFailing: why.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  void take_addresses(std::vector<base::IpAddress> addresses);

  State state_ = State::kUnknown;
  std::vector<base::IpAddress> addresses_;
  std::vector<std::pair<base::IpAddress, std::string_view>> refused_;
  bool cut_ = false;
  bool denied_ = false;
  std::string reason_;
  /// Of kNothing: when the first such answer in a row came.
  base::Instant nothing_since_;
  base::Backoff backoff_;
};

}  // namespace holdfast::dns
