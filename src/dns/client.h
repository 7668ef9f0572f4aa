#pragma once

// Asks DNS. One thread (control), which is never blocked.

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <compare>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"

namespace holdfast::dns {

/// A records, or AAAA records.
enum class Family { kIpv4, kIpv6 };

struct Question {
  /// Absolute, without the dot at its end.
  std::string name;
  Family family = Family::kIpv4;

  auto operator<=>(const Question&) const = default;
};

struct Answer {
  enum class Kind {
    kAddresses,
    /// NXDOMAIN
    kNoSuchName,
    /// The name exists, without records of the family.
    kNoAddress,
    /// No server gave an answer of these.
    kFailed,
  };
  Kind kind = Kind::kFailed;
  /// Of kAddresses: at least one, as DNS gave them.
  std::vector<base::IpAddress> addresses = {};
  /// Of kAddresses: the least of all records on the way to them.
  std::chrono::seconds ttl{0};
  /// Of kFailed: a few words.
  std::string reason = {};
};

class Client {
 public:
  /// Called once, on the thread of the caller and not from within ask(), unless the client is gone
  /// by then.
  using Done = std::function<void(Answer)>;

  virtual ~Client() = default;
  /// Gives up by itself after kQueryTries rounds of all servers. Never fails otherwise than by
  /// Answer::Kind::kFailed.
  virtual void ask(const Question& question, Done done) = 0;
};

/// A client of c-ares on `context`, which outlives it. `servers`: "ADDR:PORT", IPv6 in brackets;
/// none: those of /etc/resolv.conf, read whenever there was nothing under way.
std::unique_ptr<Client> make_client(boost::asio::io_context& context,
                                    const std::vector<std::string>& servers);

}  // namespace holdfast::dns
