#include "controller/duration.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.h"
#include "controller/quote.h"

namespace holdfast::controller {

namespace {

struct TimeUnit {
  std::string_view suffix;
  base::Duration length;
};

constexpr std::array<TimeUnit, 4> kTimeUnits{{
    {"h", std::chrono::hours(1)},
    {"m", std::chrono::minutes(1)},
    {"s", std::chrono::seconds(1)},
    {"ms", std::chrono::milliseconds(1)},
}};

base::Status not_a_duration(std::string_view text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), base::is_digit)) {
    return absl::InvalidArgumentError(quote(text) + " has no unit: write " +
                                      quote(std::string(text) + "s") + " for seconds");
  }
  return absl::InvalidArgumentError(quote(text) +
                                    " is not a duration such as \"500ms\", \"30s\" or \"1h30m\"");
}

/// The place of `suffix` among the units from `first` on, or their number.
std::size_t find_unit(std::string_view suffix, std::size_t first) {
  while (first < kTimeUnits.size() && kTimeUnits[first].suffix != suffix) ++first;
  return first;
}

}  // namespace

base::StatusOr<base::Duration> parse_duration(std::string_view text) {
  base::Duration total{0};
  std::size_t next_unit = 0;
  std::string_view rest = text;
  do {
    std::int64_t count = 0;
    const auto number = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (rest.empty() || !base::is_digit(rest.front()) || number.ec == std::errc::invalid_argument) {
      return not_a_duration(text);
    }
    rest.remove_prefix(static_cast<std::size_t>(number.ptr - rest.data()));
    std::size_t length = 0;
    while (length < rest.size() && !base::is_digit(rest[length])) ++length;
    const std::size_t unit = find_unit(rest.substr(0, length), next_unit);
    if (unit == kTimeUnits.size()) return not_a_duration(text);
    if (number.ec == std::errc::result_out_of_range ||
        count > (base::Duration::max() - total) / kTimeUnits[unit].length) {
      return absl::OutOfRangeError(quote(text) + " is too long");
    }
    total += count * kTimeUnits[unit].length;
    next_unit = unit + 1;
    rest.remove_prefix(length);
  } while (!rest.empty());
  return total;
}

std::string format_duration(base::Duration duration) {
  std::string text;
  for (const TimeUnit& unit : kTimeUnits) {
    const auto count = duration / unit.length;
    if (count > 0) text.append(std::to_string(count)).append(unit.suffix);
    duration -= count * unit.length;
  }
  return text.empty() ? "0s" : text;
}

}  // namespace holdfast::controller
