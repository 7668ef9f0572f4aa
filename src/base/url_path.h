#pragma once

// The path of a URL as routing compares it: equivalent spellings (RFC 3986 section 6.2.2) are one
// path, however a pod reads them. Pure; any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::base {

/// `path` with its %XX decoded, once, and each run of slashes, written as they are or as %2F, made
/// one. What is no escape ("%zz") stays as it is. A path without any of that is returned itself,
/// and nothing is allocated; the result is otherwise in `storage`, and lives as long.
std::string_view matched_path(std::string_view path, std::string& storage);

/// A path that is matched as `path` is, without what needs no escape and with one slash for each
/// run: two spellings of one path give the same. It is printable ASCII if `path` is.
std::string canonical_path(std::string_view path);

/// Some segment of the decoded path is "." or "..", which asks whoever reads it to go elsewhere.
/// Clients take them out before they send a request (RFC 3986 section 5.2.4).
bool has_dot_segment(std::string_view path);

/// How many bytes at the front of `path` are the first `matched` bytes of its matched_path(); of a
/// run of slashes all, if one is its last.
std::size_t bytes_matched(std::string_view path, std::size_t matched);

}  // namespace holdfast::base
