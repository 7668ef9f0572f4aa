#pragma once

// An API server of one request at a time, whose answers the test gives.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "kube/api_caller.h"

namespace holdfast::kube {

class ScriptedApiCaller final : public ApiCaller {
 public:
  void call(ApiRequest request, Done done) override {
    ASSERT_FALSE(done_) << "a call is under way: " << request_.target;
    request_ = std::move(request);
    done_ = std::move(done);
  }
  void stop() override { done_ = nullptr; }

  [[nodiscard]] bool is_asked() const { return done_ != nullptr; }
  /// "METHOD TARGET" of the request that waits; empty: none does.
  [[nodiscard]] std::string asked() const {
    return is_asked() ? request_.method + " " + request_.target : "";
  }
  [[nodiscard]] const std::string& body() const { return request_.body; }
  [[nodiscard]] const ApiRequest& request() const { return request_; }

  /// 200 and 201 succeed; 0: the connection broke.
  void answer(int code, std::string body = "{}") {
    ASSERT_TRUE(is_asked());
    ApiAnswer answer;
    if (code == 200 || code == 201) {
      answer.body = std::move(body);
    } else if (code == 0) {
      answer.failure = Failure{FailureKind::kLost, {}, "the connection broke"};
    } else {
      Failure refused{FailureKind::kStatus, {}, "HTTP " + std::to_string(code)};
      refused.status.code = code;
      answer.failure = std::move(refused);
    }
    std::exchange(done_, nullptr)(std::move(answer));
  }

 private:
  ApiRequest request_;
  Done done_;
};

}  // namespace holdfast::kube
