#pragma once

// A source of one kind, Services, at a scripted API server, with the patience of a test; and the
// answers and requests that such tests are made of.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kube/api_server_source.h"
#include "tests/unit/kube/recording.h"
#include "tests/unit/kube/scripted_api_server.h"

namespace holdfast::kube {

inline std::string service(const std::string& name, const std::string& version,
                           const std::string& spec = "{}") {
  return R"({"kind":"Service","apiVersion":"v1","metadata":{"namespace":"n","name":")" + name +
         R"(","resourceVersion":")" + version + R"("},"spec":)" + spec + "}";
}

inline std::string list_of(const std::string& version, const std::string& items,
                           const std::string& continue_token = "") {
  return R"({"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         R"(","continue":")" + continue_token + R"("},"items":[)" + items + "]}";
}

inline std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

inline std::string status_of(int code, const std::string& reason) {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":"told so","reason":")" +
         reason + R"(","code":)" + std::to_string(code) + "}";
}

inline constexpr char kToken[] = "very-secret-token";

class ApiServerSourceTest : public testing::Test {
 protected:
  ApiServerSourceTest() {
    using std::chrono::milliseconds;
    options.reflector.backoff_first = milliseconds(1);
    options.reflector.backoff_most = milliseconds(2);
    options.reflector.start_jitter = milliseconds(0);
    options.connect_timeout = options.head_timeout = options.body_timeout =
        std::chrono::seconds(20);
    config.host = "127.0.0.1";
    config.plain_http = true;
    config.token = kToken;
  }

  ~ApiServerSourceTest() override {
    if (source) source->stop();
    server.close();
    // Everything ends by itself after stop().
    context.run_for(std::chrono::seconds(10));
    EXPECT_TRUE(context.stopped());
    EXPECT_THAT(recording.lines.text, ::testing::Not(::testing::HasSubstr(kToken)));
  }

  void start() {
    config.port = server.port();
    source = make_api_server_source(context, config, options, view, recording.sink, recording.clock,
                                    recording.log);
    source->start();
  }

  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      ASSERT_GT(context.run_one_for(std::chrono::seconds(10)), 0u)
          << ::testing::PrintToString(server.targets) << recording.lines.text;
    }
  }
  /// Until the whole script has been asked for, and then one more request has come.
  void run_script() {
    std::size_t at_end = 0;
    run_until([&] {
      if (!server.script_is_over()) return false;
      if (at_end == 0) at_end = server.targets.size();
      return server.targets.size() > at_end;
    });
  }
  double metric(const std::string& name, const std::string& label = "") {
    std::vector<base::MetricFamily> families;
    source->collect(families);
    for (const auto& family : families) {
      if (family.name != name) continue;
      for (const auto& sample : family.samples) {
        if (label.empty() || sample.labels.back().second == label) return sample.value;
      }
    }
    return 0;
  }

  Recording recording;
  ClusterConfig config;
  ApiServerOptions options;
  ClusterView view{.scopes = {Kind::kService}, .ingress_selector = "", .watch_list = false};
  boost::asio::io_context context;
  ScriptedApiServer server{context};
  std::unique_ptr<Source> source;
};

inline auto is_list(const std::string& version) {
  return version.empty() ? std::string("/api/v1/services?limit=500")
                         : "/api/v1/services?limit=500&resourceVersion=" + version +
                               "&resourceVersionMatch=NotOlderThan";
}
inline auto is_watch(const std::string& version) {
  return ::testing::StartsWith(
      "/api/v1/services?watch=1&allowWatchBookmarks=true&resourceVersion=" + version +
      "&timeoutSeconds=");
}

/// Whether the version is there, asked before a watch that follows a lost connection.
inline auto is_probe(const std::string& version) {
  return "/api/v1/namespaces/default/services/holdfast-probe?resourceVersion=" + version;
}

inline Reply not_found() { return answer(404, status_of(404, "NotFound")); }

}  // namespace holdfast::kube
