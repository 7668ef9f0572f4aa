// Goal: every spelling of a path is the same path to a route, none that points elsewhere passes for
// it, and what is forwarded can be cut where the match ended. Method: tables.

#include "base/url_path.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace holdfast::base {
namespace {

struct Spelling {
  std::string path;
  std::string matched;
  std::string canonical;
};

TEST(UrlPath, IsMatchedDecodedOnceWithoutEmptySegments) {
  for (const Spelling& row : std::initializer_list<Spelling>{
           {"/", "/", "/"},
           {"/a/b", "/a/b", "/a/b"},
           {"/a/", "/a/", "/a/"},
           {"//a", "/a", "/a"},
           {"/a///b//", "/a/b/", "/a/b/"},
           {"/%61dmin", "/admin", "/admin"},
           {"%2F/%2fa", "/a", "/a"},
           {"/a%2F%2fb", "/a/b", "/a/b"},
           {"/%2561", "/%61", "/%2561"},
           {"/%25252f", "/%252f", "/%25252f"},
           {"/caf%C3%a9", "/caf\xc3\xa9", "/caf%C3%A9"},
           {"/a%20b%3Fc", "/a b?c", "/a%20b%3Fc"},
           {"/%00", std::string("/\0", 2), "/%00"},
           // No escapes.
           {"/%", "/%", "/%25"},
           {"/%6", "/%6", "/%256"},
           {"/%zz%4g%G4", "/%zz%4g%G4", "/%25zz%254g%25G4"},
           {"/%%61", "/%a", "/%25a"},
           {"/.well-known/x", "/.well-known/x", "/.well-known/x"},
           {"*", "*", "*"},
           {"", "", ""},
       }) {
    std::string storage = "of before";
    EXPECT_EQ(matched_path(row.path, storage), row.matched) << row.path;
    EXPECT_EQ(canonical_path(row.path), row.canonical) << row.path;
    EXPECT_EQ(canonical_path(row.canonical), row.canonical) << row.path;
    std::string again;
    EXPECT_EQ(matched_path(row.canonical, again), row.matched) << row.path;
  }
}

TEST(UrlPath, APlainOneIsNotCopied) {
  const std::string path = "/a/b.c/d..";
  std::string storage;
  EXPECT_EQ(matched_path(path, storage).data(), path.data());
  EXPECT_TRUE(storage.empty());
}

TEST(UrlPath, ADotSegmentIsFoundInEverySpelling) {
  for (const char* path : {"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/a/./b",
                           "/x/%2e%2e/admin", "/x/%2E./admin", "/x/.%2e", "/%2e", "/x%2f..%2fadmin",
                           "/x%2F%2e%2e%2Fadmin", "/a//..", "//.", "%2f%2e%2e%2f"}) {
    EXPECT_TRUE(has_dot_segment(path)) << path;
  }
  for (const char* path :
       {"/", "/a", "/...", "/a..", "/..a", "/.a/b", "/a./b", "/a/...%2e", "/%252e%252e/a", "/x/%2",
        "/a.b/c", "/%2e%2e%2e", "/.well-known", "*", "", "/.;/", "/%2e%"}) {
    EXPECT_FALSE(has_dot_segment(path)) << path;
  }
}

TEST(UrlPath, WhatWasMatchedIsFoundInWhatWasSent) {
  struct Row {
    const char* path;
    std::size_t matched;
    const char* rest;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"/app/x", 4, "/x"},
           {"/app", 4, ""},
           {"//app//x", 4, "//x"},
           {"/%61pp/x%2fy", 4, "/x%2fy"},
           {"/a%70p%2Fx", 4, "%2Fx"},
           // An exact match of a path that ends in a slash.
           {"/ws///", 4, ""},
           {"/ws/%2f", 4, ""},
           {"//x", 0, "//x"},
           {"/a", 9, ""},
       }) {
    const std::string_view path = row.path;
    EXPECT_EQ(path.substr(bytes_matched(path, row.matched)), row.rest) << path;
  }
}

}  // namespace
}  // namespace holdfast::base
