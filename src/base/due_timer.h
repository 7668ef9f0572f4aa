#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace holdfast::base {

/// Calls when something is due, for those who own no timer themselves but can say when they want
/// to be called. Used on the io_context's thread; the context outlives it, and it outlives the
/// context's run or is told to cancel() before.
class DueTimer {
 public:
  DueTimer(boost::asio::io_context& context, std::function<void()> run)
      : run_(std::move(run)), timer_(context) {}

  /// `run` is called once then, in place of when it was set for before; absent: not at all.
  void set(std::optional<Instant> due) {
    if (due == due_) return;
    due_ = due;
    if (!due) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(*due);
    timer_.async_wait([this, due](const boost::system::error_code& error) {
      // One that was replaced may have been on its way already.
      if (error || due != due_) return;
      due_.reset();
      run_();
    });
  }
  void cancel() { set(std::nullopt); }

 private:
  const std::function<void()> run_;
  boost::asio::steady_timer timer_;
  std::optional<Instant> due_;
};

}  // namespace holdfast::base
