#pragma once

#include <string>

#include "http/head.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// The request-target for the pod where the route rewrites it, query included; empty: as it came.
/// Only what the match was made of is replaced, however it was written; the rest stays as it came.
/// What stands in front always begins with exactly one slash, since "//host" names another host to
/// some. Pure.
std::string rewritten_target(const Route& route, const http::RequestHead& request);

}  // namespace holdfast::proxy
