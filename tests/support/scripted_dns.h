#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "dns/client.h"

namespace holdfast::dns {

/// A client whose answers a test makes.
class ScriptedDns final : public Client {
 public:
  void ask(const Question& question, Done done) override {
    asked.push_back(question);
    waiting_.emplace_back(question, std::move(done));
  }

  /// Answers every question under way: those of `answers` so, others with NXDOMAIN.
  void answer_all() {
    for (const auto& [question, done] : std::exchange(waiting_, {})) {
      const auto found = answers.find(question);
      done(found == answers.end() ? Answer{.kind = Answer::Kind::kNoSuchName} : found->second);
    }
  }

  [[nodiscard]] std::size_t under_way() const { return waiting_.size(); }
  /// The questions since the last take.
  std::vector<Question> take() { return std::exchange(asked, {}); }

  std::map<Question, Answer> answers;
  std::vector<Question> asked;

 private:
  std::vector<std::pair<Question, Done>> waiting_;
};

inline Answer addresses(const std::vector<std::string>& texts, std::chrono::seconds ttl) {
  Answer answer{.kind = Answer::Kind::kAddresses, .addresses = {}, .ttl = ttl};
  for (const std::string& text : texts) answer.addresses.push_back(base::parse_ip(text).value());
  return answer;
}

inline Answer failed(const std::string& reason) { return {.reason = reason}; }

inline Answer no_address() { return {.kind = Answer::Kind::kNoAddress}; }

inline Answer no_such_name() { return {.kind = Answer::Kind::kNoSuchName}; }

}  // namespace holdfast::dns
