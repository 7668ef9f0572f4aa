#pragma once

// ExternalNames at work: with a client of c-ares and a timer.
//
// Control thread, except collect(). Owned by main; the context and the sink outlive it.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/due_timer.h"
#include "base/metric.h"
#include "dns/client.h"
#include "dns/external_names.h"

namespace holdfast::dns {

class Resolver final : public base::MetricSource {
 public:
  /// `servers`: see make_client().
  Resolver(boost::asio::io_context& context, const std::vector<std::string>& servers,
           kube::ObjectSink& sink, const base::Clock& clock);

  /// What a source feeds in place of the sink.
  [[nodiscard]] kube::ObjectSink& input() { return names_; }
  /// Gives up what is under way; the sink is not called afterwards.
  void stop();
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  void update();

  std::unique_ptr<Client> client_;
  ExternalNames names_;
  base::DueTimer timer_;

  // Written on the control thread, read anywhere.
  std::atomic<std::size_t> names_now_{0};
  std::atomic<std::size_t> failing_now_{0};
  std::atomic<std::uint64_t> positive_answers_{0};
  std::atomic<std::uint64_t> negative_answers_{0};
  std::atomic<std::uint64_t> failures_{0};
};

}  // namespace holdfast::dns
