#include "controller/size.h"

#include <array>
#include <charconv>
#include <limits>

#include "controller/quote.h"

namespace holdfast::controller {

namespace {

struct SizeUnit {
  std::string_view suffix;
  std::uint64_t bytes;
};

/// Largest first.
constexpr std::array<SizeUnit, 5> kSizeUnits{{
    {"Ti", std::uint64_t{1} << 40},
    {"Gi", std::uint64_t{1} << 30},
    {"Mi", std::uint64_t{1} << 20},
    {"Ki", std::uint64_t{1} << 10},
    {"", 1},
}};

}  // namespace

base::StatusOr<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t count = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, count);
  const std::string_view suffix(end, static_cast<std::size_t>(last - end));
  for (const SizeUnit& unit : kSizeUnits) {
    if (error == std::errc::invalid_argument || suffix != unit.suffix) continue;
    if (error == std::errc::result_out_of_range ||
        count > std::numeric_limits<std::uint64_t>::max() / unit.bytes) {
      return absl::OutOfRangeError(quote(text) + " is too large");
    }
    return count * unit.bytes;
  }
  return absl::InvalidArgumentError(quote(text) +
                                    " is not a size such as \"65536\", \"64Ki\" or \"10Mi\"");
}

std::string format_size(std::uint64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes > 0 && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes).append(unit.suffix);
    }
  }
  return "0";
}

}  // namespace holdfast::controller
