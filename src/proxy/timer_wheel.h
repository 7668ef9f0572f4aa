#pragma once

// Deadlines of a worker's connections: a hashed wheel of kTimerTick steps. Setting, moving and
// clearing a timer cost a few instructions and never a system call. One thread. Timers are members
// of what they wake; a timer that is destroyed leaves the wheel. Waits are never short, and at most
// one tick (beyond the wheel's horizon: two) too long.

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

class TimerWheel;

/// One deadline. Subclasses say what happens when it passes.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool armed() const { return next_ != nullptr; }

 protected:
  virtual ~Timer() { unlink(); }
  /// The deadline has passed; the timer is no longer armed and may be set again or destroyed here.
  virtual void on_deadline() = 0;

 private:
  friend class TimerWheel;
  void unlink();

  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  base::Instant when_;
};

class TimerWheel {
 public:
  explicit TimerWheel(base::Instant now);
  ~TimerWheel();

  /// Arms the timer for `when`, or moves it there. Moving it later is free: the timer stays in its
  /// slot and is put off when that slot's turn comes.
  void set(Timer& timer, base::Instant when);
  void clear(Timer& timer) { timer.unlink(); }

  /// Calls on_deadline() of every timer whose time has come.
  void advance(base::Instant now);

  /// When advance() has something to look at again; absent while no timer is armed.
  [[nodiscard]] std::optional<base::Instant> next() const;

 private:
  static constexpr std::size_t kSlots = 1024;

  struct Head final : Timer {
    void on_deadline() override {}
  };

  [[nodiscard]] std::int64_t tick_of(base::Instant when) const;
  void insert(Timer& timer);

  const base::Instant origin_;
  std::int64_t tick_ = 0;
  std::array<Head, kSlots> slots_;
};

}  // namespace holdfast::proxy
