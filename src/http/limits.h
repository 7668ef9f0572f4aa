#pragma once

#include <cstddef>

namespace holdfast::http {

/// Bytes, line end excluded. A request line longer than this is answered with 414; a status line
/// longer than this is a bad one.
inline constexpr std::size_t kRequestLineBytesMost = std::size_t{8} * 1024;
/// Bytes of one field line, line end excluded; 431, from a backend 502.
inline constexpr std::size_t kFieldBytesMost = std::size_t{8} * 1024;
/// Bytes of all field lines together, line ends included; 431, from a backend 502.
inline constexpr std::size_t kFieldsBytesMost = std::size_t{32} * 1024;
/// Field lines; 431, from a backend 502.
inline constexpr std::size_t kFieldCountMost = 100;
/// Options in the Connection fields of one message; 431, from a backend 502. Every field is
/// compared with every option, so this bounds the work that one head can cause.
inline constexpr std::size_t kConnectionOptionsMost = 32;
/// Bytes of a whole head: what a reader's buffer must be able to hold to find any breach. The 6 are
/// the tolerated empty line, the end of the first line, and the empty line.
inline constexpr std::size_t kHeadBytesMost = kRequestLineBytesMost + kFieldsBytesMost + 6;
/// Bytes of a chunk-size line with its extensions and its CR; 400, from a backend: the connection
/// ends.
inline constexpr std::size_t kChunkLineBytesMost = 256;
/// Bytes of a chunked body's trailer section, which is read and dropped.
inline constexpr std::size_t kTrailerBytesMost = std::size_t{8} * 1024;

}  // namespace holdfast::http
