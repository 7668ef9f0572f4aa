#include "proxy/certificate_expiry.h"

#include <chrono>

#include "proxy/limits.h"

namespace holdfast::proxy {

void CertificateExpiry::look(const IdentityCompiler::Certificates& certificates,
                             base::WallTime now) {
  std::map<std::string, Told> told;
  for (const auto& [name, certificate] : certificates) {
    const tls::CertificateFacts& facts = certificate->facts();
    if (facts.not_after - now > kExpiryNotice) continue;
    const bool is_over = facts.not_after <= now;
    const char* message = is_over
                              ? "a certificate has expired: it is shown all the same, and refused"
                              : "a certificate is about to expire";
    std::string what = facts.fingerprint + message;
    const auto before = told_.find(name);
    if (before != told_.end() && before->second.what == what &&
        now - before->second.at < kExpiryRepeat) {
      told.insert(*before);
      continue;
    }
    told.emplace(name, Told{std::move(what), now});
    const auto left = std::chrono::duration_cast<std::chrono::hours>(facts.not_after - now);
    const std::initializer_list<base::LogField> fields = {
        {"secret", std::string_view(name)},
        {"sha256", std::string_view(facts.fingerprint)},
        {"hours_left", static_cast<std::int64_t>(left.count())}};
    if (is_over) {
      log_.error(message, fields);
    } else {
      log_.warn(message, fields);
    }
  }
  told_ = std::move(told);
}

}  // namespace holdfast::proxy
