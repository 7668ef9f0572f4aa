// Goal: every Service of type ExternalName has slices of what DNS says of its name, soon and for as
// long as it says so; nothing else is touched; work and memory are bounded. Method: objects,
// answers and time are handed in, and what the sink holds is looked at.

#include "dns/external_names.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dns/limits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_dns.h"

namespace holdfast::dns {
namespace {

using std::chrono::seconds;

constexpr char kDown[] = "no answer";

std::shared_ptr<const kube::Service> service(const std::string& name, const std::string& external,
                                             const std::string& space = "default") {
  auto made = std::make_shared<kube::Service>();
  made->metadata.name = {space, name};
  made->type = external.empty() ? "ClusterIP" : "ExternalName";
  made->external_name = external;
  return made;
}

/// What a sink was told, and holds of it.
class HeldObjects final : public kube::ObjectSink {
 public:
  void replace(const kube::Scope& scope, std::vector<kube::Object> objects) override {
    calls.push_back(std::string("replace ") + to_string(scope.kind));
    std::erase_if(held, [&](const auto& entry) {
      return entry.first.first == scope.kind && scope.covers(entry.first.second);
    });
    for (const kube::Object& object : objects) put(object);
  }
  void upsert(kube::Object object) override {
    calls.push_back(std::string("upsert ") + to_string(kube::kind_of(object)));
    put(object);
  }
  void remove(kube::Kind kind, const kube::ObjectName& name) override {
    calls.push_back(std::string("remove ") + to_string(kind));
    held.erase({kind, name});
  }
  void report_unreadable(const std::string& kind, const kube::ObjectName& name,
                         const std::string& reason) override {
    calls.push_back("unreadable " + kind + " " + name.name + ": " + reason);
  }

  /// Addresses and complaints of a Service, as the sink holds them.
  [[nodiscard]] std::string of(const std::string& name) const {
    std::string text;
    for (const auto& [key, object] : held) {
      const auto* slice = std::get_if<std::shared_ptr<const kube::EndpointSlice>>(&object);
      if (slice == nullptr || (*slice)->service_name != name) continue;
      EXPECT_TRUE((*slice)->from_dns);
      for (const kube::Endpoint& endpoint : (*slice)->endpoints) {
        text += endpoint.addresses[0] + " ";
      }
      for (const std::string& complaint : (*slice)->complaints) text += "[" + complaint + "] ";
    }
    return text;
  }
  [[nodiscard]] std::size_t count(kube::Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        held.begin(), held.end(), [kind](const auto& entry) { return entry.first.first == kind; }));
  }
  std::vector<std::string> take() { return std::exchange(calls, {}); }

  std::map<std::pair<kube::Kind, kube::ObjectName>, kube::Object> held;
  std::vector<std::string> calls;

 private:
  void put(const kube::Object& object) {
    held.insert_or_assign({kube::kind_of(object), kube::metadata_of(object).name}, object);
  }
};

class ExternalNamesTest : public testing::Test {
 protected:
  /// DNS says so of a name, whose other family does not exist.
  void say(const std::string& name, const Answer& v4, const Answer& v6 = no_address()) {
    dns.answers[{name, Family::kIpv4}] = v4;
    dns.answers[{name, Family::kIpv6}] = v6;
  }
  /// Asks what is due, and has all of it answered.
  void ask() {
    names.run_due();
    dns.answer_all();
  }
  void pass(base::Duration time) {
    clock.advance(time);
    ask();
  }
  /// Until what is said now has been asked for, whatever was known.
  void pass_all() {
    for (int i = 0; i < 12; ++i) pass(kRetryMost);
  }

  base::FakeClock clock;
  HeldObjects sink;
  ScriptedDns dns;
  int changes = 0;
  ExternalNames names{sink, dns, clock, 1, [this] { ++changes; }};
};

TEST_F(ExternalNamesTest, ServesBothFamiliesAndFollowsThem) {
  say("a.test", addresses({"10.0.0.2", "10.0.0.1"}, seconds(30)),
      addresses({"2001:db8::1"}, seconds(60)));
  names.upsert(service("web", "A.test."));
  EXPECT_EQ(names.deadline(), clock.now());
  ask();
  EXPECT_EQ(sink.of("web"), "10.0.0.1 10.0.0.2 2001:db8::1 ");
  EXPECT_EQ(names.deadline(), clock.now() + seconds(30));
  sink.take();

  // Turned around is the same, and nobody is told.
  say("a.test", addresses({"10.0.0.1", "10.0.0.2"}, seconds(30)),
      addresses({"2001:db8::1"}, seconds(60)));
  pass(seconds(30));
  EXPECT_EQ(sink.take(), std::vector<std::string>());

  say("a.test", addresses({"10.0.0.3"}, seconds(30)), addresses({"2001:db8::2"}, seconds(60)));
  pass(seconds(29));
  EXPECT_EQ(sink.of("web"), "10.0.0.1 10.0.0.2 2001:db8::1 ");
  pass(seconds(1));
  EXPECT_EQ(sink.of("web"), "10.0.0.3 2001:db8::2 ");
}

TEST_F(ExternalNamesTest, KeepsWhatWasGoodWhileDnsIsAway) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)), addresses({"2001:db8::1"}, seconds(5)));
  names.upsert(service("web", "a.test"));
  ask();
  say("a.test", failed(kDown), failed(kDown));
  for (int i = 0; i < 1000; ++i) pass(kRetryMost);
  EXPECT_EQ(sink.of("web"),
            "10.0.0.1 [\"a.test\" cannot be resolved (no answer); its last addresses stay in "
            "force] 2001:db8::1 ");
  // Of one family alone as well.
  say("a.test", failed(kDown), addresses({"2001:db8::2"}, seconds(5)));
  pass(kRetryMost);
  EXPECT_EQ(sink.of("web"),
            "10.0.0.1 [\"a.test\" cannot be resolved (no answer); its last addresses stay in "
            "force] 2001:db8::2 ");
  say("a.test", addresses({"10.0.0.9"}, seconds(5)));
  pass(kRetryMost);
  EXPECT_EQ(sink.of("web").substr(0, 9), "10.0.0.9 ");
  EXPECT_LE(*names.deadline(), clock.now() + seconds(5));
}

TEST_F(ExternalNamesTest, EmptiesANameThatIsGoneForGood) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.upsert(service("web", "a.test"));
  ask();
  say("a.test", no_such_name(), no_such_name());
  pass(seconds(5));
  EXPECT_EQ(sink.of("web"),
            "10.0.0.1 [\"a.test\" has no IPv4 address any more; the last ones are served for a "
            "while] ");
  pass(kGonePatience - seconds(1));
  EXPECT_EQ(sink.of("web").substr(0, 9), "10.0.0.1 ");
  pass(kRetryMost);
  EXPECT_EQ(sink.of("web"), "[\"a.test\" does not exist in DNS; requests are answered with 503] ");
  say("a.test", no_address());
  pass_all();
  EXPECT_EQ(sink.of("web"), "[\"a.test\" has no address in DNS; requests are answered with 503] ");
  say("a.test", addresses({"10.0.0.2"}, seconds(5)));
  pass(kRetryMost);
  EXPECT_EQ(sink.of("web"), "10.0.0.2 ");
}

TEST_F(ExternalNamesTest, SaysWhatIsMissingOfANameThatWasNeverResolved) {
  say("a.test", failed(kDown), failed(kDown));
  names.upsert(service("web", "a.test"));
  EXPECT_EQ(sink.of("web"), "");
  ask();
  EXPECT_EQ(sink.of("web"),
            "[\"a.test\" cannot be resolved (no answer); requests are answered with 503] ");
  say("a.test", addresses({"10.0.0.1"}, seconds(5)), failed(kDown));
  pass(kRetryMost);
  EXPECT_EQ(sink.of("web"),
            "10.0.0.1 [\"a.test\" as an IPv6 address cannot be resolved (no answer); its others "
            "are served] ");
}

TEST_F(ExternalNamesTest, RefusesWhereANameMustNotLead) {
  say("a.test", addresses({"10.0.0.1", "127.0.0.1"}, seconds(5)));
  say("b.test", addresses({"169.254.169.254"}, seconds(5)),
      addresses({"::1", "fe80::1"}, seconds(5)));
  names.upsert(service("one", "a.test"));
  names.upsert(service("two", "b.test"));
  ask();
  EXPECT_EQ(sink.of("one"),
            "10.0.0.1 [\"a.test\" leads to 127.0.0.1 (loopback), which is refused; its other "
            "addresses are served] ");
  EXPECT_EQ(sink.of("two"),
            "[\"b.test\" leads to 169.254.169.254 (link-local) and 2 more that must not be "
            "reached, which are refused; requests are answered with 503] ");
}

TEST_F(ExternalNamesTest, JudgesAddressesAndNamesWithoutAskingForThem) {
  names.upsert(service("good", "10.0.0.1"));
  names.upsert(service("good6", "2001:DB8::1"));
  names.upsert(service("bad", "127.0.0.1"));
  names.upsert(service("local", "localhost"));
  names.upsert(service("odd", "no name"));
  auto empty = std::make_shared<kube::Service>(*service("empty", "x"));
  empty->external_name = "";
  names.upsert(std::shared_ptr<const kube::Service>(empty));
  EXPECT_EQ(sink.of("good"), "10.0.0.1 ");
  EXPECT_EQ(sink.of("good6"), "2001:db8::1 ");
  EXPECT_EQ(sink.of("bad"),
            "[\"127.0.0.1\" leads to 127.0.0.1 (loopback), which is refused; "
            "requests are answered with 503] ");
  EXPECT_EQ(sink.of("local"), "[localhost is refused; requests are answered with 503] ");
  EXPECT_EQ(sink.of("odd"), "[it is not a DNS name; requests are answered with 503] ");
  EXPECT_EQ(sink.of("empty"), "[the name is empty; requests are answered with 503] ");
  EXPECT_FALSE(names.deadline());
  ask();
  EXPECT_TRUE(dns.asked.empty());
}

TEST_F(ExternalNamesTest, AsksOnceForAllServicesOfAName) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.upsert(service("one", "a.test"));
  names.upsert(service("two", "a.test."));
  ask();
  EXPECT_EQ(dns.take().size(), 2U);
  EXPECT_EQ(sink.of("one"), "10.0.0.1 ");
  EXPECT_EQ(sink.of("two"), "10.0.0.1 ");
  names.remove(kube::Kind::kService, {"default", "one"});
  EXPECT_EQ(sink.of("one"), "");
  pass(seconds(5));
  EXPECT_EQ(dns.take().size(), 2U);
  names.remove(kube::Kind::kService, {"default", "two"});
  EXPECT_FALSE(names.deadline());
  EXPECT_EQ(sink.count(kube::Kind::kEndpointSlice), 0U);
  EXPECT_EQ(names.counts().names, 0U);
}

TEST_F(ExternalNamesTest, ServesTheOldNameUntilTheNewOneIsKnown) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  say("b.test", addresses({"10.0.0.2"}, seconds(5)));
  names.upsert(service("web", "a.test"));
  ask();
  names.upsert(service("web", "b.test"));
  EXPECT_EQ(sink.of("web"), "10.0.0.1 ");
  ask();
  EXPECT_EQ(sink.of("web"), "10.0.0.2 ");
  say("c.test", failed(kDown), failed(kDown));
  names.upsert(service("web", "c.test"));
  ask();
  EXPECT_EQ(sink.of("web"),
            "[\"c.test\" cannot be resolved (no answer); requests are answered with 503] ");
  names.upsert(service("web", ""));
  EXPECT_EQ(sink.of("web"), "");
  EXPECT_EQ(names.counts().names, 0U);
}

TEST_F(ExternalNamesTest, AnAnswerThatComesTooLateIsNobodys) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.upsert(service("web", "a.test"));
  names.run_due();
  names.remove(kube::Kind::kService, {"default", "web"});
  names.upsert(service("web", "a.test"));
  dns.answer_all();
  EXPECT_EQ(sink.of("web"), "");
  ask();
  EXPECT_EQ(sink.of("web"), "10.0.0.1 ");
  // Each question was asked twice, and is known once.
  EXPECT_EQ(dns.take().size(), 4U);
  pass(seconds(5));
  EXPECT_EQ(dns.take().size(), 2U);
}

TEST_F(ExternalNamesTest, AFullListOfSlicesKeepsOurs) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.upsert(service("web", "a.test"));
  names.upsert(service("far", "a.test", "other"));
  ask();
  auto slice = std::make_shared<kube::EndpointSlice>();
  slice->metadata.name = {"default", "of-another"};
  names.replace({kube::Kind::kEndpointSlice, "default"},
                {std::shared_ptr<const kube::EndpointSlice>(slice)});
  EXPECT_EQ(sink.count(kube::Kind::kEndpointSlice), 3U);
  EXPECT_EQ(sink.of("web"), "10.0.0.1 ");
  names.replace(kube::Kind::kEndpointSlice, {});
  EXPECT_EQ(sink.count(kube::Kind::kEndpointSlice), 2U);
  EXPECT_EQ(sink.of("far"), "10.0.0.1 ");
}

TEST_F(ExternalNamesTest, AFullListOfServicesForgetsThoseThatAreMissing) {
  names.replace(kube::Kind::kService, {});
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.upsert(service("one", "a.test"));
  names.upsert(service("far", "a.test", "other"));
  ask();
  names.replace({kube::Kind::kService, "default"}, {});
  EXPECT_EQ(sink.of("one"), "");
  EXPECT_EQ(sink.of("far"), "10.0.0.1 ");
}

TEST_F(ExternalNamesTest, EverythingElsePasses) {
  names.upsert(std::make_shared<const kube::Ingress>());
  names.replace(kube::Kind::kIngressClass, {});
  names.remove(kube::Kind::kEndpoints, {"a", "b"});
  names.report_unreadable("Service", {"a", "b"}, "why");
  EXPECT_EQ(sink.take(),
            (std::vector<std::string>{"upsert Ingress", "replace IngressClass", "remove Endpoints",
                                      "unreadable Service b: why"}));
}

TEST_F(ExternalNamesTest, TheFirstListWaitsForTheFirstAnswers) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)));
  names.replace(kube::Kind::kService, {service("web", "a.test"), service("plain", "")});
  names.upsert(service("later", ""));
  names.remove(kube::Kind::kService, {"default", "plain"});
  EXPECT_EQ(sink.take(), std::vector<std::string>());
  ask();
  EXPECT_EQ(sink.take(), (std::vector<std::string>{"upsert EndpointSlice", "replace Service",
                                                   "upsert Service", "remove Service"}));
  // Not the next one.
  names.replace(kube::Kind::kService, {service("web", "b.test")});
  EXPECT_EQ(sink.take(), (std::vector<std::string>{"replace Service"}));
}

TEST_F(ExternalNamesTest, TheFirstListWaitsNotForEver) {
  names.replace(kube::Kind::kService, {service("web", "a.test")});
  names.run_due();
  EXPECT_EQ(names.deadline(), clock.now() + kFirstAnswersPatience);
  clock.advance(kFirstAnswersPatience);
  names.run_due();
  EXPECT_EQ(sink.take(), (std::vector<std::string>{"replace Service"}));
  EXPECT_FALSE(names.deadline());
}

TEST_F(ExternalNamesTest, TheFirstListWaitsNotWithoutNames) {
  names.replace(kube::Kind::kService, {service("plain", ""), service("fixed", "10.0.0.1")});
  EXPECT_EQ(sink.take(), (std::vector<std::string>{"upsert EndpointSlice", "replace Service"}));
}

TEST_F(ExternalNamesTest, QuestionsUnderWayAreBounded) {
  for (std::size_t i = 0; i < 100; ++i) {
    say("n" + std::to_string(i) + ".test", addresses({"10.0.0.1"}, seconds(5)));
    names.upsert(service("s" + std::to_string(i), "n" + std::to_string(i) + ".test"));
  }
  std::size_t rounds = 0;
  while (names.deadline() && *names.deadline() <= clock.now()) {
    names.run_due();
    EXPECT_LE(dns.under_way(), kQuestionsMost);
    // Nothing to do until an answer comes: a caller that would be told otherwise would turn in
    // circles.
    EXPECT_FALSE(names.deadline() && *names.deadline() <= clock.now());
    dns.answer_all();
    ++rounds;
  }
  EXPECT_EQ(rounds, (200 + kQuestionsMost - 1) / kQuestionsMost);
  EXPECT_EQ(dns.take().size(), 200U);
  EXPECT_EQ(sink.of("s99"), "10.0.0.1 ");
}

TEST_F(ExternalNamesTest, NamesAreBounded) {
  for (std::size_t i = 0; i < kNamesMost; ++i) {
    names.upsert(service("s" + std::to_string(i), "n" + std::to_string(i) + ".test"));
  }
  names.upsert(service("more", "more.test"));
  names.upsert(service("same", "n0.test"));
  say("more.test", addresses({"10.0.0.1"}, seconds(5)));
  EXPECT_EQ(names.counts().names, kNamesMost);
  EXPECT_EQ(sink.of("more"),
            "[there are more than 1000 names of Services to resolve, and this one is left out; "
            "requests are answered with 503] ");
  EXPECT_EQ(sink.of("same"), "");
  // Its turn comes when another goes.
  names.remove(kube::Kind::kService, {"default", "s7"});
  for (int i = 0; i < 100; ++i) ask();
  EXPECT_EQ(names.counts().names, kNamesMost);
  EXPECT_EQ(sink.of("more"), "10.0.0.1 ");
}

TEST_F(ExternalNamesTest, Counts) {
  say("a.test", addresses({"10.0.0.1"}, seconds(5)), failed(kDown));
  names.upsert(service("web", "a.test"));
  names.upsert(service("gone", "gone.test"));
  changes = 0;
  ask();
  EXPECT_GT(changes, 0);
  const ExternalNameCounts counts = names.counts();
  EXPECT_EQ(counts.names, 2U);
  EXPECT_EQ(counts.failing_names, 1U);
  EXPECT_EQ(counts.positive_answers, 1U);
  EXPECT_EQ(counts.negative_answers, 2U);
  EXPECT_EQ(counts.failures, 1U);
}

}  // namespace
}  // namespace holdfast::dns
