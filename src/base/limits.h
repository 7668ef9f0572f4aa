#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::base {

/// Log lines waiting for the writer, one sink. About a second of a busy edge; beyond it the reader
/// is stuck and the oldest lines go.
inline constexpr std::size_t kLogQueueLines = 16384;
/// The same in bytes: lines carry paths that a peer chose.
inline constexpr std::size_t kLogQueueBytes = std::size_t{8} << 20;
/// One write(2). A pipe holds 64 KiB.
inline constexpr std::size_t kLogBatchBytes = std::size_t{64} << 10;
/// After the first line the writer waits this long for company: at most 200 wake-ups a second,
/// however many lines there are.
inline constexpr std::chrono::milliseconds kLogLinger{5};
/// How long a sink that is destroyed without flush_and_stop() waits for its reader.
inline constexpr std::chrono::milliseconds kLogStopPatience{500};

}  // namespace holdfast::base
