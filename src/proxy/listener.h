#pragma once

// One listening socket of one worker. Accepts in batches; when descriptors run out, here or in the
// process's count, it stops being interested for kAcceptPause instead of spinning. Worker thread
// only.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "proxy/address.h"
#include "proxy/timer_wheel.h"

namespace holdfast::proxy {

class Worker;

/// What every connection to a listening socket begins with, in this order.
struct Preamble {
  bool proxy_header = false;
  bool tls = false;
};

class Listener final : public Timer {
 public:
  Listener(Worker& worker, boost::asio::io_context& context, Preamble preamble)
      : worker_(worker), preamble_(preamble), socket_(context) {}

  /// Nobody listens on that address, not even another process that would share it.
  static base::Status check_free(const Address& address);
  /// Binds and begins to accept.
  base::Status open(const Address& address);
  void close();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void wait();
  void accept_batch();
  /// False when nothing more can be accepted now.
  bool accept_one();
  void pause(std::string_view why);
  void on_deadline() override;

  Worker& worker_;
  const Preamble preamble_;
  boost::asio::posix::stream_descriptor socket_;
  std::uint16_t port_ = 0;
  bool paused_ = false;
};

}  // namespace holdfast::proxy
