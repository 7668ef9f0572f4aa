// The words and dates of a response head.

#include <chrono>

#include "http/serialize.h"

namespace holdfast::http {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};

/// RFC 9110 section 15 and the IANA registry of status codes.
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

void put_digits(std::string& text, std::size_t at, std::size_t digits, unsigned value) {
  for (std::size_t i = digits; i-- > 0; value /= 10) {
    text[at + i] = static_cast<char>('0' + value % 10);
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return "Unknown";
}

std::string format_date(std::int64_t unix_seconds) {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  namespace chrono = std::chrono;
  const chrono::sys_seconds time{chrono::seconds{unix_seconds}};
  const chrono::sys_days day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss clock{time - day};

  std::string text = "Ddd, 00 Mmm 0000 00:00:00 GMT";
  text.replace(0, 3, kDays.substr(std::size_t{3} * chrono::weekday{day}.c_encoding(), 3));
  put_digits(text, 5, 2, static_cast<unsigned>(date.day()));
  text.replace(8, 3, kMonths.substr(std::size_t{3} * (static_cast<unsigned>(date.month()) - 1), 3));
  put_digits(text, 12, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_digits(text, 17, 2, static_cast<unsigned>(clock.hours().count()));
  put_digits(text, 20, 2, static_cast<unsigned>(clock.minutes().count()));
  put_digits(text, 23, 2, static_cast<unsigned>(clock.seconds().count()));
  return text;
}

}  // namespace holdfast::http
