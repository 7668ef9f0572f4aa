#include "dns/resolver.h"

#include <random>

namespace holdfast::dns {

Resolver::Resolver(boost::asio::io_context& context, const std::vector<std::string>& servers,
                   kube::ObjectSink& sink, const base::Clock& clock)
    : client_(make_client(context, servers)),
      names_(sink, *client_, clock, std::random_device()(), [this] { update(); }),
      timer_(context, [this] { names_.run_due(); }) {}

void Resolver::stop() {
  client_.reset();
  timer_.cancel();
}

void Resolver::update() {
  const ExternalNameCounts counts = names_.counts();
  names_now_ = counts.names;
  failing_now_ = counts.failing_names;
  positive_answers_ = counts.positive_answers;
  negative_answers_ = counts.negative_answers;
  failures_ = counts.failures;
  timer_.set(names_.deadline());
}

void Resolver::collect(std::vector<base::MetricFamily>& out) const {
  out.push_back(base::single_metric("holdfast_external_names",
                                    "Names of Services of type ExternalName that are resolved.",
                                    base::MetricType::kGauge, static_cast<double>(names_now_)));
  out.push_back(base::single_metric(
      "holdfast_external_names_failing",
      "Those of them whose last question no DNS server answered; they keep their addresses.",
      base::MetricType::kGauge, static_cast<double>(failing_now_)));
  base::MetricFamily answers{"holdfast_external_name_answers_total",
                             "Answers to questions of their addresses, by result.",
                             base::MetricType::kCounter,
                             {}};
  const auto add = [&answers](const char* result, std::uint64_t count) {
    answers.samples.push_back(
        {.labels = {{"result", result}}, .value = static_cast<double>(count)});
  };
  add("addresses", positive_answers_);
  add("nothing", negative_answers_);
  add("failed", failures_);
  out.push_back(std::move(answers));
}

}  // namespace holdfast::dns
