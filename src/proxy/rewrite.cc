#include "proxy/rewrite.h"

#include <algorithm>
#include <string_view>

#include "base/url_path.h"

namespace holdfast::proxy {

std::string rewritten_target(const Route& route, const http::RequestHead& request) {
  const std::string& replacement = route.settings->forwarding.rewrite_prefix;
  if (replacement.empty() || request.path == "*") return {};
  const std::string_view rest =
      request.path.substr(base::bytes_matched(request.path, route.matched_bytes));
  std::string target = replacement;
  if (!rest.empty()) {
    while (target.ends_with('/')) target.pop_back();
    target += rest;
  }
  target.erase(0, std::min(target.find_first_not_of('/'), target.size()));
  target.insert(0, 1, '/');
  const std::size_t query = request.target.find('?');
  if (query != std::string_view::npos) target += request.target.substr(query);
  return target;
}

}  // namespace holdfast::proxy
