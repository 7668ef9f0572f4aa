#pragma once

// One row of a table of rules = one test, named by the row.

#include <gtest/gtest.h>

#include <cctype>
#include <string>

namespace holdfast::http::test {

/// The rows' `name` as a test name: letters, digits and '_'.
template <typename Row>
std::string row_name(const testing::TestParamInfo<Row>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

}  // namespace holdfast::http::test
