// A worker with its sessions and relays between clients and backends that do what a script says.
// Whatever that is: a request is forwarded at most once (or repeated where it may be) and as what
// it was, answers belong to their requests, no byte of a tunnel passes before a valid 101,
// everything ends with one reason in the log, memory stays bounded, silence ends every connection,
// and nothing is left of any of them.
//
// A script is text: '@', a letter of the table below, and what belongs to it, up to the next '@'
// ("@@" is a '@' in there). What comes before the first '@' is sent by the first client.
//
//   c TEXT  the client sends           b TEXT  the backend sends
//   f N     the client sends N * 32 KiB F N     the backend sends N * 32 KiB
//   e       the client ends its side   E       the backend ends its side
//   x       the client breaks off      X       the backend breaks off
//   h       the client stops reading, or reads again        H  the backend likewise
//   n       another client comes: it is the client from now on
//   o N     the backend is from now on the Nth before the one connected last
//   p TEXT  how coming connections go: 0 at once, 1 when y says so, 2 refused, 3 no descriptor
//   y       a connection under way is made
//   t N     time passes, and i N the idle timeout becomes: kWaits[N]
//   d N     0: all routes and endpoints go, 1: they come back
//   &       the next step and the one behind it happen before the worker looks
//   q       the worker stops at once, instead of after a long silence

#include <algorithm>
#include <array>

#include "tests/fuzz/session_rules.h"
#include "tests/fuzz/session_world.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kStepsMost = 80;
constexpr std::size_t kClientsMost = 3;
constexpr std::size_t kFillingStep = std::size_t{32} * 1024;
constexpr int kSilencesMost = 20;

struct Step {
  char what = 'c';
  std::string text;

  /// A digit in the text, 0 to 9.
  [[nodiscard]] std::size_t digit() const {
    return text.empty() ? 0 : static_cast<unsigned char>(text[0]) % 16 % 10;
  }
};

std::vector<Step> read_script(std::string_view input) {
  std::vector<Step> steps(1);
  for (std::size_t i = 0; i < input.size() && steps.size() <= kStepsMost; ++i) {
    if (input[i] != '@' || i + 1 == input.size()) {
      steps.back().text += input[i];
      continue;
    }
    ++i;
    if (input[i] == '@') {
      steps.back().text += '@';
    } else {
      steps.push_back({input[i], ""});
    }
  }
  return steps;
}

class Play {
 public:
  void run(std::string_view input) {
    world_.add_client();
    world_.settle();
    bool together = false;
    bool settled = true;
    for (const Step& step : read_script(input)) {
      if (step.what == 'q') quits_ = true;
      if (quits_) break;
      world_.hurried |= !settled && step.what == 't';
      act(step);
      // '&' and the step behind it happen with the next one, from the worker's point of view.
      settled = step.what != '&' && !together;
      together = step.what == '&';
      if (settled) world_.settle();
    }
    world_.settle();
    if (!quits_) require_end_of_silence();
    world_.shut_down();
    require_rules(world_);
  }

 private:
  void act(const Step& step) {
    Peer& client = *world_.clients.back();
    switch (step.what) {
      case 'c':
        client.send(step.text);
        break;
      case 'f':
        client.send(std::string(step.digit() * kFillingStep, 'x'));
        break;
      case 'e':
        client.end();
        break;
      case 'x':
        client.break_off();
        break;
      case 'h':
        client.hold(!client.holds());
        break;
      case 'n':
        if (world_.clients.size() < kClientsMost) world_.add_client();
        break;
      case 'p':
        plan(step.text);
        break;
      case 'y':
        world_.establish();
        break;
      case 't':
        world_.pass_time(kWaits[step.digit()]);
        break;
      case 'd':
        world_.configure(step.digit() != 0);
        break;
      case 'i':
        world_.set_idle_timeout(kWaits[step.digit()]);
        break;
      default:
        if (!world_.backends.empty()) act_as_backend(step);
    }
  }

  void act_as_backend(const Step& step) {
    // The newest, or one before it.
    Peer& backend =
        **(world_.backends.rbegin() + static_cast<std::ptrdiff_t>(back_ % world_.backends.size()));
    switch (step.what) {
      case 'b':
        backend.send(step.text);
        break;
      case 'F':
        backend.send(std::string(step.digit() * kFillingStep, 'y'));
        break;
      case 'E':
        backend.end();
        break;
      case 'X':
        backend.break_off();
        break;
      case 'H':
        backend.hold(!backend.holds());
        break;
      case 'o':
        back_ = step.digit();
        break;
      default:
        break;
    }
  }

  void plan(const std::string& text) {
    for (const char c : text) world_.plan(static_cast<World::Connecting>(c & 3));
  }

  /// Peers that do nothing are not waited for without end.
  void require_end_of_silence() {
    for (int i = 0; i < kSilencesMost && world_.open_connections() > 0; ++i) {
      world_.pass_time(20min);
    }
    require(world_.open_connections() == 0, "silence ends every connection");
  }

  static constexpr std::array<base::Duration, 10> kWaits = {20ms, 100ms, 1s,  2s,  5s,
                                                            10s,  30s,   60s, 75s, 10min};
  World world_;
  std::size_t back_ = 0;
  bool quits_ = false;
};

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::Play().run(holdfast::fuzz::view_of(data, size));
  return 0;
}
