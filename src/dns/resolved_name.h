#pragma once

// One name with both families: what may be served of it, and what is wrong with it, in words. Pure.
// One thread. Never fails.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dns/lookup.h"

namespace holdfast::dns {

class ResolvedName {
 public:
  /// `name` as canonical_name() gives it; an IP address stands for itself and is never asked for.
  ResolvedName(std::string name, std::uint64_t seed);

  [[nodiscard]] bool is_address() const { return is_address_; }
  /// Something of it can be served, or both families were answered: before that what is served of
  /// the name is not known.
  [[nodiscard]] bool settled() const;
  /// One sentence each: what is wrong, and what is served instead.
  [[nodiscard]] std::vector<std::string> complaints() const;
  /// The last question of a family was not answered.
  [[nodiscard]] bool failing() const;

  [[nodiscard]] Lookup& lookup(Family family) { return lookups_[index(family)]; }
  [[nodiscard]] const Lookup& lookup(Family family) const { return lookups_[index(family)]; }

 private:
  static std::size_t index(Family family) { return static_cast<std::size_t>(family); }
  [[nodiscard]] bool serves() const;
  void complain_of_refusals(std::vector<std::string>& complaints) const;
  void complain_of_family(Family family, std::vector<std::string>& complaints) const;

  const std::string name_;
  std::array<Lookup, 2> lookups_;
  bool is_address_ = false;
};

}  // namespace holdfast::dns
