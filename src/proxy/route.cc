#include "proxy/route.h"

#include <algorithm>

#include "base/url_path.h"

namespace holdfast::proxy {

namespace {

const RoutePtr kNoRoutePtr;

}  // namespace

void RouteCounters::count_close(CloseReason reason, std::uint16_t code) {
  CloseCounters* closes = closes_.load(std::memory_order_relaxed);
  if (closes == nullptr) {
    closes = new CloseCounters;
    closes_.store(closes, std::memory_order_release);
  }
  closes->by_reason_and_code[static_cast<std::size_t>(reason)][close_code_index(code)].add();
}

void VirtualHost::add_exact(std::string_view path, RoutePtr route) {
  std::string storage;
  exact_.insert_or_assign(std::string(base::matched_path(path, storage)), std::move(route));
}

void VirtualHost::add_prefix(std::string_view prefix, RoutePtr route) {
  std::string storage;
  prefix = base::matched_path(prefix, storage);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  const auto slashes = static_cast<std::size_t>(std::count(prefix.begin(), prefix.end(), '/'));
  deepest_ = std::max(deepest_, slashes);
  prefixes_.insert_or_assign(std::string(prefix), std::move(route));
}

const RoutePtr& VirtualHost::find(std::string_view path) const {
  if (const auto exact = exact_.find(path); exact != exact_.end()) return exact->second;
  const RoutePtr* longest = &kNoRoutePtr;
  std::size_t slashes = 0;
  for (std::size_t i = 0; i <= path.size() && slashes <= deepest_; ++i) {
    if (i < path.size() && path[i] != '/') continue;
    ++slashes;
    const auto prefix = prefixes_.find(path.substr(0, i));
    if (prefix != prefixes_.end()) longest = &prefix->second;
  }
  return *longest;
}

}  // namespace holdfast::proxy
