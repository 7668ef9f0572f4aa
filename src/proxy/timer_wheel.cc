#include "proxy/timer_wheel.h"

#include <algorithm>
#include <cassert>

namespace holdfast::proxy {

void Timer::unlink() {
  if (!armed()) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

TimerWheel::TimerWheel(base::Instant now) : origin_(now) {
  for (Head& slot : slots_) slot.next_ = slot.previous_ = &slot;
}

TimerWheel::~TimerWheel() {
  for (Head& slot : slots_) {
    while (slot.next_ != &slot) slot.next_->unlink();
    slot.next_ = slot.previous_ = nullptr;
  }
}

std::int64_t TimerWheel::tick_of(base::Instant when) const {
  const base::Duration tick = kTimerTick;
  return (when - origin_ + tick - base::Duration(1)) / tick;
}

void TimerWheel::insert(Timer& timer) {
  const std::int64_t furthest = tick_ + static_cast<std::int64_t>(kSlots) - 1;
  const std::int64_t tick = std::clamp(tick_of(timer.when_), tick_ + 1, furthest);
  Head& slot = slots_[static_cast<std::size_t>(tick) % kSlots];
  timer.previous_ = slot.previous_;
  timer.next_ = &slot;
  slot.previous_->next_ = &timer;
  slot.previous_ = &timer;
}

void TimerWheel::set(Timer& timer, base::Instant when) {
  const bool stays = timer.armed() && when >= timer.when_;
  timer.when_ = when;
  if (stays) return;
  timer.unlink();
  insert(timer);
}

void TimerWheel::advance(base::Instant now) {
  const std::int64_t target = (now - origin_) / base::Duration(kTimerTick);
  const std::int64_t first = std::max(tick_ + 1, target - static_cast<std::int64_t>(kSlots) + 1);
  Head due;
  due.next_ = due.previous_ = &due;
  for (std::int64_t tick = first; tick <= target; ++tick) {
    Head& slot = slots_[static_cast<std::size_t>(tick) % kSlots];
    if (slot.next_ == &slot) continue;
    slot.next_->previous_ = due.previous_;
    due.previous_->next_ = slot.next_;
    slot.previous_->next_ = &due;
    due.previous_ = slot.previous_;
    slot.next_ = slot.previous_ = &slot;
  }
  tick_ = std::max(tick_, target);
  while (due.next_ != &due) {
    Timer& timer = *due.next_;
    timer.unlink();
    if (timer.when_ <= now) {
      timer.on_deadline();
    } else {
      insert(timer);
    }
  }
  due.next_ = due.previous_ = nullptr;
}

std::optional<base::Instant> TimerWheel::next() const {
  for (std::int64_t tick = tick_ + 1; tick < tick_ + static_cast<std::int64_t>(kSlots); ++tick) {
    const Head& slot = slots_[static_cast<std::size_t>(tick) % kSlots];
    if (slot.next_ != &slot) return origin_ + tick * base::Duration(kTimerTick);
  }
  return std::nullopt;
}

}  // namespace holdfast::proxy
