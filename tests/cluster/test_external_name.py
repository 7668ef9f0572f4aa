"""Goal: Services of type ExternalName are served where DNS says, for as long as it says so, and
from what was good before while it says nothing; never where a name must not lead, and only when
that was asked for.

Method: a DNS server of ours is told what to say while Holdfast runs; pods answer with their own
address.
"""

import json
import subprocess

import pytest
from client import WebSocket, status_of, wait_for_pod, wait_for_status, wait_ready
from dns_server import DnsServer
from holdfast_test.metrics import get, scrape
from holdfast_test.process import Holdfast, wait_until
from objects import ingress
from pods import PORT, Pods

# A question that nobody answers is given up after 6 s: two tries, 2 s and 4 s.
DNS_PATIENCE_SECONDS = 40


@pytest.fixture
def dns(started):
    return started(DnsServer())


def start(server, *flags):
    running = Holdfast(
        "ingress", "--kubeconfig", server.kubeconfig, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--workers", "1", *flags,
    )  # fmt: skip
    wait_ready(running.port("admin"))
    return running


@pytest.fixture
def holdfast(server, api, dns, started):
    return started(start(server, "--allow-external-name", "--dns-server", dns.address))


def serve(api, name, external_name, port=PORT):
    """An Ingress for NAME.test before a Service that stands for a name, without ports."""
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": external_name},
        },
        ingress(name, f"{name}.test", {"/": (name, port)}),
    )


def problems(holdfast, name):
    control = json.loads(get(holdfast.port("admin"), "/debug/config")[1])["control_plane"]
    return json.dumps([problem for problem in control["problems"] if problem["name"] == name])


def wait_for_problem(holdfast, name, words):
    wait_until(
        lambda: words in problems(holdfast, name), f"a problem: {words}", DNS_PATIENCE_SECONDS
    )


def wait_for_no_problem(holdfast, name):
    wait_until(
        lambda: problems(holdfast, name) == "[]", "the problems to go", DNS_PATIENCE_SECONDS
    )


def answers(holdfast, result):
    metrics = scrape(holdfast.port("admin"))
    return metrics.value("holdfast_external_name_answers_total", result=result)


def wait_for_more_answers(holdfast, result, count):
    before = answers(holdfast, result)
    wait_until(
        lambda: answers(holdfast, result) >= before + count,
        f"{count} more answers: {result}",
        DNS_PATIENCE_SECONDS,
    )


def test_connections_follow_the_name_and_open_ones_stay(holdfast, api, pods, dns):
    """Through a change of address, a server that is away, and a name that is gone for a moment."""
    one, two, three = pods.addresses[:3]
    dns.set("chat.example.com", one)
    serve(api, "chat", "chat.example.com")
    port = holdfast.port("http")
    wait_for_status(port, "chat.test", 200)
    first = WebSocket(port, "chat.test")
    assert first.pod == one

    dns.set("chat.example.com", two)
    wait_for_pod(port, "chat.test", two)
    first.echo("after a change")

    dns.silent = True
    wait_for_problem(holdfast, "chat", "its last addresses stay in force")
    wait_for_more_answers(holdfast, "failed", 2)
    second = WebSocket(port, "chat.test")
    assert second.pod == two
    dns.silent = False
    wait_for_no_problem(holdfast, "chat")

    dns.forget("chat.example.com")
    wait_for_problem(holdfast, "chat", "has no IPv4 address any more")
    assert WebSocket(port, "chat.test").pod == two
    dns.set("chat.example.com", three)
    wait_for_pod(port, "chat.test", three, DNS_PATIENCE_SECONDS)
    wait_for_no_problem(holdfast, "chat")
    for client in (first, second):
        client.echo("after all of it")
        assert client.open


def test_a_name_that_never_was_is_503_and_a_problem(holdfast, api):
    serve(api, "never", "never.example.com")
    wait_for_problem(holdfast, "never", "does not exist in DNS; requests are answered with 503")
    assert status_of(holdfast.port("http"), "never.test") == 503


def test_a_truncated_answer_is_asked_for_again_over_tcp(holdfast, api, pods, dns):
    dns.truncating = True
    dns.set("long.example.com", *pods.addresses)
    serve(api, "long", "long.example.com")
    wait_for_status(holdfast.port("http"), "long.test", 200)
    for address in pods.addresses:
        wait_for_pod(holdfast.port("http"), "long.test", address)
    assert dns.count("long.example.com", "tcp") >= 1


def test_ipv6_alone(holdfast, api, dns, started):
    subprocess.run("ip -6 addr replace fd00:244::1/128 dev lo".split(), check=True)
    started(Pods(["fd00:244::1"]))
    dns.set("six.example.com", "fd00:244::1")
    serve(api, "six", "six.example.com")
    wait_for_status(holdfast.port("http"), "six.test", 200)
    assert WebSocket(holdfast.port("http"), "six.test").pod == "fd00:244::1"
    assert problems(holdfast, "six") == "[]"


def test_a_name_leads_neither_to_us_nor_to_metadata(holdfast, api, pods, dns, started):
    """The pods on refused addresses would answer, were they asked."""
    started(Pods(["127.0.0.9", "::1"]))
    one = pods.addresses[0]
    dns.set("mixed.example.com", "127.0.0.9", one, "169.254.169.254", "::1")
    serve(api, "mixed", "mixed.example.com")
    port = holdfast.port("http")
    wait_for_status(port, "mixed.test", 200)
    wait_for_problem(holdfast, "mixed", "leads to 127.0.0.9 (loopback) and 2 more")
    for _ in range(10):
        client = WebSocket(port, "mixed.test")
        assert client.pod == one
        client.close()
    # What was good is not kept for a name that leads elsewhere now.
    dns.set("mixed.example.com", "127.0.0.9", "::ffff:127.0.0.9", "::1")
    wait_for_status(port, "mixed.test", 503)

    for name, external_name in (("literal", "127.0.0.9"), ("us", "localhost")):
        serve(api, name, external_name)
        wait_for_problem(holdfast, name, "requests are answered with 503")
        assert status_of(port, f"{name}.test") == 503
    assert dns.count("localhost") == 0
    serve(api, "address", one)
    wait_for_status(port, "address.test", 200)


def test_not_unless_asked_for(server, api, pods, dns, started):
    running = started(start(server, "--dns-server", dns.address))
    dns.set("off.example.com", pods.addresses[0])
    serve(api, "off", "off.example.com")
    wait_for_problem(running, "off", "--allow-external-name")
    assert status_of(running.port("http"), "off.test") == 503
    assert dns.count("off.example.com") == 0


def test_a_restart_has_the_addresses_in_its_first_state(server, api, pods, dns, started):
    """Ready means that what is served is known: not a moment of 503."""
    dns.set("again.example.com", pods.addresses[0])
    serve(api, "again", "again.example.com")
    for _ in range(3):
        running = start(server, "--allow-external-name", "--dns-server", dns.address)
        try:
            assert status_of(running.port("http"), "again.test") == 200
        finally:
            running.stop()
