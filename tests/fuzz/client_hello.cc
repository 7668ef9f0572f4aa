// The choice that a ClientHello drives, through the whole handshake code: as whom it is answered
// and what is asked of the client. The first byte of an input is the size of the pieces that the
// rest, what the client sends, arrives in.

#include "tls/client_hello.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "tests/fuzz/target.h"
#include "tls/limits.h"
#include "tls/server_context.h"
#include "tls/stream.h"

namespace holdfast::fuzz {
namespace {

using tls::ClientPolicy;
using tls::ServerIdentity;

class Client final : public tls::Transport {
 public:
  Client(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}

  Result receive_raw(void* buffer, std::size_t size) override {
    if (bytes_.empty()) return {0, 0};
    const std::size_t taken = bytes_.copy(static_cast<char*>(buffer), std::min(size, piece_));
    bytes_.remove_prefix(taken);
    return {taken, 0};
  }
  Result send_raw(const void*, std::size_t size) override { return {size, 0}; }

 private:
  std::string_view bytes_;
  const std::size_t piece_;
};

/// "asks.test" asks for certificates by nobody, so that no handshake for it may go on.
class Names final : public tls::IdentityFinder {
 public:
  [[nodiscard]] std::shared_ptr<const ServerIdentity> find_identity(
      std::string_view name) const override {
    asked.emplace_back(name);
    return name == "asks.test" ? asking_ : open_;
  }
  [[nodiscard]] const std::vector<tls::CertificatePtr>& other_certificates(
      const ServerIdentity&) const override {
    return open_->certificates();
  }

  mutable std::vector<std::string> asked;

 private:
  static std::shared_ptr<const ServerIdentity> make(const std::string& host,
                                                    ClientPolicy::Ask ask) {
    const auto own = tls::Certificate::make_self_signed(host, base::SystemClock().wall_now());
    ClientPolicy client;
    client.ask = ask;
    return std::make_shared<const ServerIdentity>(
        host, std::vector<std::string>{host}, std::vector<tls::CertificatePtr>{*own}, client, "");
  }

  const std::shared_ptr<const ServerIdentity> open_ = make("*", ClientPolicy::Ask::kNothing);
  const std::shared_ptr<const ServerIdentity> asking_ =
      make("asks.test", ClientPolicy::Ask::kRequired);
};

struct Outcome {
  int error = 0;
  tls::HandshakeFailure failure = tls::HandshakeFailure::kNone;
  std::vector<std::string> asked;

  bool operator==(const Outcome&) const = default;
};

Outcome answer(std::string_view bytes, std::size_t piece) {
  static tls::TicketKeys keys;
  static const auto context = *tls::ServerContext::make(tls::Profile::kIntermediate, keys);
  static Names names;
  names.asked.clear();
  const Exactly exactly(bytes);
  Client client(exactly.view(), piece);
  const std::unique_ptr<tls::Stream> stream = context->accept(client, names);
  Outcome outcome;
  do {
    outcome.error = stream->handshake();
  } while (outcome.error == EAGAIN);
  outcome.failure = stream->failure();
  outcome.asked = names.asked;
  require(outcome.error != 0, "nobody guesses a key");
  require(outcome.asked.size() <= 1, "one handshake is for one name");
  if (outcome.asked == std::vector<std::string>{"asks.test"}) {
    require(outcome.failure == tls::HandshakeFailure::kNoAuthorities, "nobody is let in");
  }
  return outcome;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

void check_name(std::string_view name) {
  require(name.size() <= tls::kServerNameBytesMost, "a name is bounded", name);
  require(std::none_of(name.begin(), name.end(), is_upper), "a name is in lower case", name);
}

/// The body of an extension that names one host.
std::string extension_of(std::string_view name) {
  const auto length = [](std::size_t size) {
    return std::string{static_cast<char>(size >> 8), static_cast<char>(size & 0xFF)};
  };
  return length(name.size() + 3) + '\0' + length(name.size()) + std::string(name);
}

void run(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input[0]);
  const std::string_view bytes = input.substr(1);
  const Outcome whole = answer(bytes, bytes.size() + 1);
  require(answer(bytes, piece) == whole, "pieces are read as the stream");
  for (const std::string& name : whole.asked) check_name(name);
  const Exactly extension(bytes);
  const auto name = tls::parse_server_name(extension.view());
  if (!name || name->empty()) return;
  check_name(*name);
  require(tls::parse_server_name(extension_of(*name)).value_or("") ==
              (name->ends_with('.') ? name->substr(0, name->size() - 1) : *name),
          "a name is read again", *name);
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
