// Goal: the tables of `holdfast status` say what the page says, aligned, and nothing that a
// terminal would act upon.

#include "admin/status_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::admin {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StatusTable, ColumnsAreAligned) {
  EXPECT_EQ(table({"A", "LONG", "C"}, {{"x", "y", "z"}, {"wide one", "", "z"}}),
            "A         LONG  C\n"
            "x         y     z\n"
            "wide one  -     z\n");
}

TEST(StatusTable, ATerminalSeesNoControlBytes) {
  EXPECT_EQ(table({"A"}, {{"\x1b[31mred\n\x7f"}}), "A\n?[31mred??\n");
}

TEST(StatusTables, EverythingOfAPage) {
  const auto tables = status_tables(R"({"version":"1.2.3",
    "configuration":{"version":7,"since":"2026-01-01T00:00:00.000Z","refused":2,"connected":false,
      "connection_since":"2026-01-02T00:00:00.000Z"},
    "routes":[{"host":"chat.test","match":"prefix","path":"/ws","namespace":"default",
      "ingress":"chat","cluster":"default/rooms/80","websocket_cluster":"default/sockets/81",
      "since":"2026-01-01T00:00:00.000Z"}],
    "endpoints":[{"cluster":"default/rooms/80","endpoint":"10.0.0.7:8080","zone":"east",
      "state":"ready",
      "open":12,"age_seconds":7384}],
    "connections":[{"number":3,"kind":"websocket","namespace":"default","ingress":"chat",
      "service":"rooms","endpoint":"10.0.0.7:8080","client":"192.0.2.1","request_id":"ab",
      "age_seconds":61.5,"bytes_upstreamward":1,"bytes_downstreamward":2,
      "messages_upstreamward":3,"messages_downstreamward":4}],
    "next_before":3,
    "problems":[{"kind":"Ingress","namespace":"default","name":"bad","field":"spec.tls",
      "severity":"warning","message":"is not served"}]})");
  ASSERT_TRUE(tables.ok()) << tables.status();
  for (const char* part :
       {"Holdfast 1.2.3\n", "Configuration 7, in force since 2026-01-01T00:00:00.000Z.",
        "Refused as a whole: 2",
        "The controller is not connected, since 2026-01-02T00:00:00.000Z.\n", "Routes: 1\n",
        "chat.test  /ws   prefix  default/rooms:80, WebSockets default/sockets:81  default/chat",
        "default/rooms:80  10.0.0.7:8080  east  ready  12    2h3m\n",
        "websocket  1m1s  192.0.2.1  default/rooms  10.0.0.7:8080  3/4       1/2    ab\n",
        "--limit shows more", "warning   Ingress default/bad  spec.tls  is not served\n"}) {
    EXPECT_THAT(*tables, HasSubstr(part));
  }
}

TEST(StatusTables, WhatAPageHasNotIsNotShown) {
  const auto tables = status_tables(R"({"version":"1","problems":[]})");
  ASSERT_TRUE(tables.ok());
  EXPECT_EQ(*tables, "Holdfast 1\n\nProblems: 0\n");
}

TEST(StatusTables, BeforeTheFirstConfiguration) {
  const auto tables = status_tables(R"({"version":"1","configuration":{"version":0}})");
  ASSERT_TRUE(tables.ok());
  EXPECT_THAT(*tables, HasSubstr("No configuration is in force yet."));
  EXPECT_THAT(*tables, Not(HasSubstr("Refused")));
}

TEST(StatusTables, AnotherAnswerIsSaid) {
  for (const char* page : {"", "ok\n", "[]", "7", R"({"version":7})", R"({"routes":[7]})"}) {
    EXPECT_FALSE(status_tables(page).ok()) << page;
  }
}

}  // namespace
}  // namespace holdfast::admin
