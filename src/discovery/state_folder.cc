#include "discovery/state_folder.h"

#include <cerrno>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/hash.h"
#include "discovery/assembly.h"
#include "discovery/limits.h"
#include "discovery/parts.h"

namespace holdfast::discovery {

namespace {

void put_number(std::string& out, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(number >> shift & 0xFFU);
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t number = 0;
  for (int byte = 7; byte >= 0; --byte) {
    number = number << 8U | static_cast<unsigned char>(bytes[offset + static_cast<unsigned>(byte)]);
  }
  return number;
}

/// Takes the next record off the front of `rest`; absent where there is no whole one.
std::optional<v1::Part> take_record(std::string_view& rest) {
  if (rest.size() < kStateHeaderBytes) return std::nullopt;
  const std::uint64_t size = number_at(rest, 0);
  const std::uint64_t hash = number_at(rest, 8);
  if (size > rest.size() - kStateHeaderBytes) return std::nullopt;
  const std::string_view payload = rest.substr(kStateHeaderBytes, size);
  v1::Part part;
  if (base::fnv1a(payload) != hash ||
      !part.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return std::nullopt;
  }
  rest.remove_prefix(kStateHeaderBytes + size);
  return part;
}

/// Writes a transaction; the number of bytes.
std::size_t write_records(std::ostream& out, std::uint64_t number, model::Transaction transaction) {
  std::size_t bytes = 0;
  PartCutter cutter(number, std::move(transaction));
  while (!cutter.done()) {
    v1::Part part;
    cutter.next(part);
    const std::string payload = part.SerializeAsString();
    std::string header;
    put_number(header, payload.size());
    put_number(header, base::fnv1a(payload));
    out << header << payload;
    bytes += header.size() + payload.size();
  }
  return bytes;
}

}  // namespace

StateFolder::StateFolder(std::filesystem::path folder, model::TransactionHandler& handler,
                         const base::Log& log)
    : folder_(std::move(folder)), file_(folder_ / "state"), handler_(handler), log_(log) {}

base::Status StateFolder::open() {
  std::error_code error;
  if (std::filesystem::create_directories(folder_, error)) {
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, error);
  }
  if (!error && !std::filesystem::is_directory(folder_, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError("the state folder " + folder_.string() +
                                " cannot be used: " + error.message());
}

void StateFolder::read() {
  std::ifstream in(file_, std::ios::binary);
  if (!in) return;
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::string_view rest = bytes;
  Assembly assembly;
  while (std::optional<v1::Part> part = take_record(rest)) {
    auto transaction = assembly.add(*std::move(part));
    if (!transaction.ok()) break;
    if (*transaction) take(**transaction);
  }
  if (rest.empty()) return;
  log_.warn("the state file ends early or is damaged; what stands before that is used",
            {{"file", file_.string()},
             {"bytes", static_cast<std::uint64_t>(bytes.size())},
             {"unused", static_cast<std::uint64_t>(rest.size())}});
}

Held StateFolder::restore() {
  read();
  Held held;
  while (!state_.empty()) {
    const std::vector<model::Refusal> refusals = handler_.apply(everything());
    if (refusals.empty()) break;
    const std::size_t before = state_.size();
    for (const model::Refusal& refusal : refusals) {
      log_.warn("a resource of the state file is not served",
                {{"resource", model::to_string(refusal.key)}, {"reason", refusal.reason}});
      state_.erase(refusal.key);
    }
    // A handler that refuses what it was not given will never be content.
    if (state_.size() == before) state_.clear();
  }
  for (const auto& [key, resource] : state_) held.emplace(key, resource->version());
  if (!held.empty()) {
    log_.info("serving the state of an earlier run until the controller is reached",
              {{"resources", static_cast<std::uint64_t>(held.size())}});
  }
  return held;
}

std::vector<model::Refusal> StateFolder::apply(const model::Transaction& transaction) {
  std::vector<model::Refusal> refusals = handler_.apply(transaction);
  if (refusals.empty()) keep(transaction);
  return refusals;
}

void StateFolder::take(const model::Transaction& transaction) {
  for (const model::ResourcePtr& resource : transaction.upserts) {
    state_.insert_or_assign(model::key_of(*resource), resource);
  }
  for (const model::ResourceKey& key : transaction.removals) state_.erase(key);
}

void StateFolder::keep(const model::Transaction& transaction) {
  take(transaction);
  const bool mostly_history = bytes_ > 2 * bytes_anew_ + kStateHistoryBytes;
  errno = 0;
  if (stale_ || mostly_history ? write_anew() : append(transaction)) {
    told_ = false;
    return;
  }
  stale_ = true;
  failures_ += 1;
  if (std::exchange(told_, true)) return;
  log_.warn("the state cannot be written; it is tried again with the next change",
            {{"file", file_.string()},
             {"reason", std::error_code(errno, std::generic_category()).message()}});
}

bool StateFolder::append(const model::Transaction& transaction) {
  if (transaction.upserts.empty() && transaction.removals.empty()) return true;
  bytes_ += write_records(journal_, ++number_, transaction);
  return static_cast<bool>(journal_.flush());
}

bool StateFolder::write_anew() {
  const std::filesystem::path next = folder_ / "state.next";
  journal_ = std::ofstream(next, std::ios::binary | std::ios::trunc);
  // It will hold keys of certificates.
  std::error_code error;
  std::filesystem::permissions(
      next, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  number_ = 1;
  bytes_ = bytes_anew_ = write_records(journal_, number_, everything());
  if (error || !journal_.flush()) return false;
  std::filesystem::rename(next, file_, error);
  stale_ = static_cast<bool>(error);
  return !stale_;
}

model::Transaction StateFolder::everything() const {
  model::Transaction all;
  for (const auto& [key, resource] : state_) all.upserts.push_back(resource);
  return all;
}

void StateFolder::collect(std::vector<base::MetricFamily>& out) const {
  out.push_back(base::single_metric("holdfast_state_write_failures_total",
                                    "Changes that could not be written to the state folder.",
                                    base::MetricType::kCounter, static_cast<double>(failures_)));
}

}  // namespace holdfast::discovery
