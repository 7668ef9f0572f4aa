#pragma once

// One connection of the admin server: reads requests one after another and answers them.

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <functional>
#include <memory>
#include <string>

#include "admin/server.h"

namespace holdfast::admin {

/// Finds and runs the handler of a path; 404 when there is none. Does not throw.
using Dispatch = std::function<Answer(const std::string& path, const std::string& query)>;

/// Ends when the peer leaves, a time-out passes, the request is refused, or the stream is closed
/// from outside. Admin thread. No exception leaves it but the allocator's. `dispatch` and `options`
/// outlive it.
boost::asio::awaitable<void> serve_connection(std::shared_ptr<boost::beast::tcp_stream> stream,
                                              const Dispatch& dispatch, const Options& options);

}  // namespace holdfast::admin
