#include "dns/resolved_name.h"

#include <algorithm>
#include <utility>

#include "dns/limits.h"

namespace holdfast::dns {
namespace {

constexpr char kNothingServed[] = "; requests are answered with 503";

const char* to_string(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

}  // namespace

ResolvedName::ResolvedName(std::string name, std::uint64_t seed)
    : name_(std::move(name)), lookups_{Lookup(seed), Lookup(seed + 1)} {
  const auto address = base::parse_ip(name_);
  if (!address) return;
  is_address_ = true;
  const Family family = address->ipv6 ? Family::kIpv6 : Family::kIpv4;
  const Family other = address->ipv6 ? Family::kIpv4 : Family::kIpv6;
  lookup(family).take({.kind = Answer::Kind::kAddresses, .addresses = {*address}}, {});
  lookup(other).take({.kind = Answer::Kind::kNoAddress}, {});
}

bool ResolvedName::serves() const {
  return std::any_of(lookups_.begin(), lookups_.end(),
                     [](const Lookup& lookup) { return !lookup.addresses().empty(); });
}

bool ResolvedName::settled() const {
  return serves() || std::none_of(lookups_.begin(), lookups_.end(), [](const Lookup& lookup) {
           return lookup.state() == Lookup::State::kUnknown;
         });
}

bool ResolvedName::failing() const {
  return std::any_of(lookups_.begin(), lookups_.end(), [](const Lookup& lookup) {
    return lookup.state() == Lookup::State::kFailing;
  });
}

std::vector<std::string> ResolvedName::complaints() const {
  std::vector<std::string> complaints;
  complain_of_refusals(complaints);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    complain_of_family(family, complaints);
  }
  const bool nothing = std::all_of(lookups_.begin(), lookups_.end(), [](const Lookup& lookup) {
    return lookup.state() == Lookup::State::kNothing;
  });
  if (nothing && !serves()) {
    const bool denied = lookups_[0].denied() || lookups_[1].denied();
    complaints.push_back("\"" + name_ + "\" " +
                         (denied ? "does not exist in DNS" : "has no address in DNS") +
                         kNothingServed);
  }
  // Both families fail in the same words.
  std::sort(complaints.begin(), complaints.end());
  complaints.erase(std::unique(complaints.begin(), complaints.end()), complaints.end());
  return complaints;
}

void ResolvedName::complain_of_refusals(std::vector<std::string>& complaints) const {
  std::size_t count = 0;
  std::string first;
  for (const Lookup& lookup : lookups_) {
    for (const auto& [address, kind] : lookup.refused()) {
      if (count++ > 0) continue;
      first = base::to_string(address) + " (" + std::string(kind) + ")";
    }
  }
  if (count == 0) return;
  std::string text = "\"" + name_ + "\" leads to " + first;
  if (count > 1) text += " and " + std::to_string(count - 1) + " more that must not be reached";
  text += ", which " + std::string(count > 1 ? "are" : "is") + " refused";
  complaints.push_back(text + (serves() ? "; its other addresses are served" : kNothingServed));
}

void ResolvedName::complain_of_family(Family family, std::vector<std::string>& complaints) const {
  const Lookup& own = lookup(family);
  const std::string kind = to_string(family);
  const std::string name = "\"" + name_ + "\" ";
  if (own.cut()) {
    complaints.push_back(name + "has more than " + std::to_string(kAddressesMost) + " " + kind +
                         " addresses; only " + std::to_string(kAddressesMost) + " are used");
  }
  const bool kept = !own.addresses().empty();
  if (own.state() == Lookup::State::kNothing && kept) {
    complaints.push_back(name + "has no " + kind +
                         " address any more; the last ones are served for a while");
  }
  if (own.state() != Lookup::State::kFailing) return;
  const std::string failed = "cannot be resolved (" + own.reason() + ")";
  if (kept) {
    complaints.push_back(name + failed + "; its last addresses stay in force");
  } else if (serves()) {
    complaints.push_back(name + "as an " + kind + " address " + failed + "; its others are served");
  } else {
    complaints.push_back(name + failed + kNothingServed);
  }
}

}  // namespace holdfast::dns
