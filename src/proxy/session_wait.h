#pragma once

#include "proxy/session.h"

namespace holdfast::proxy {

/// The awaiter of every wait of a session; true when it was not the deadline that ended it.
struct Session::Waiting {
  Session& session;
  bool ready;

  [[nodiscard]] bool await_ready() const noexcept { return ready; }
  void await_suspend(std::coroutine_handle<> handle) const noexcept { session.waiting_ = handle; }
  [[nodiscard]] bool await_resume() const noexcept { return !session.timed_out_; }
};

}  // namespace holdfast::proxy
