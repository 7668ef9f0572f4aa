// Goal: the name that a ClientHello asks for is found, or its extension is refused.

#include "tls/client_hello.h"

#include <gtest/gtest.h>

namespace holdfast::tls {
namespace {

std::string length(std::size_t size) {
  return {static_cast<char>(size >> 8), static_cast<char>(size & 255)};
}

std::string extension(const std::string& name, char type = 0) {
  const std::string entry = std::string(1, type) + length(name.size()) + name;
  return length(entry.size()) + entry;
}

TEST(ParseServerName, Names) {
  EXPECT_EQ(parse_server_name(extension("Chat.Example.com")), "chat.example.com");
  EXPECT_EQ(parse_server_name(extension("a.test.")), "a.test");
  EXPECT_EQ(parse_server_name(extension("xn--bcher-kva.example")), "xn--bcher-kva.example");
}

TEST(ParseServerName, WhatIsNoNameNamesNothing) {
  for (const char* name : {"*.a.test", "a b", "a/b", "[::1]", "a\n", "\xc3\xbc.test"}) {
    EXPECT_EQ(parse_server_name(extension(name)), "") << name;
  }
  EXPECT_EQ(parse_server_name(extension(std::string(254, 'a'))), "");
  EXPECT_EQ(parse_server_name(extension(std::string("a\0b", 3))), "");
}

TEST(ParseServerName, EveryCutIsRefused) {
  const std::string whole = extension("a.test");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_server_name(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_server_name(whole + "x"));
  EXPECT_FALSE(parse_server_name(extension("a.test", 1)));
  EXPECT_FALSE(parse_server_name(extension("")));
  const std::string entry = whole.substr(2);
  EXPECT_FALSE(parse_server_name(length(2 * entry.size()) + entry + entry));
}

}  // namespace
}  // namespace holdfast::tls
