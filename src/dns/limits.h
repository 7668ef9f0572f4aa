#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::dns {

/// How long an answer counts, whatever its TTL says: below a second a name would be asked for all
/// the time (many names of load balancers have a TTL of 0), and after five minutes nobody expects
/// an old address any more.
inline constexpr std::chrono::seconds kTtlLeast{1};
inline constexpr std::chrono::minutes kTtlMost{5};
/// From a failure, or from the answer that there is nothing, to the next try: doubled each time.
inline constexpr std::chrono::seconds kRetryFirst{1};
inline constexpr std::chrono::seconds kRetryMost{30};
/// A name that DNS denies keeps its last addresses for so long: a zone that is being written anew,
/// or a headless Service between two pods, has none for some seconds.
inline constexpr std::chrono::seconds kGonePatience{30};
/// The first list of Services waits so long for the first answers, so that a restart does not
/// publish empty sets: longer than any DNS server that is well, and a start may take it.
inline constexpr std::chrono::seconds kFirstAnswersPatience{2};

/// Different names. A name is asked for each second at the most, twice.
inline constexpr std::size_t kNamesMost = 1000;
/// Addresses of one family that a name may have; the rest is left out, and that is a problem.
inline constexpr std::size_t kAddressesMost = 64;
/// Questions under way; others wait.
inline constexpr std::size_t kQuestionsMost = 32;
/// Records read of an answer: a message of 64 KiB holds no more of 16 bytes each (RFC 1035, section
/// 4.2.2).
inline constexpr std::size_t kRecordsMost = 4096;
/// One try at one server; the next round takes twice as long. With three servers a question fails
/// after 18 s.
inline constexpr std::chrono::milliseconds kQueryTimeout{2000};
inline constexpr int kQueryTries = 2;
/// --dns-server: as many as resolv.conf(5) knows.
inline constexpr std::size_t kServersMost = 3;

/// A name in text, without the dot at its end, and what stands between two dots (RFC 1035, section
/// 2.3.4).
inline constexpr std::size_t kNameBytes = 253;
inline constexpr std::size_t kLabelBytes = 63;

}  // namespace holdfast::dns
