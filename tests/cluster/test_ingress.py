"""Goal: `holdfast ingress` against a real API server, as a newcomer would use it.

Method: kubectl or the API write objects; the clients are the `websockets` library's.
"""

import json

import pytest
from client import WebSocket, status_of, wait_for_pod, wait_for_status, wait_ready
from holdfast_test.metrics import get, scrape, wait_for_value
from holdfast_test.process import Holdfast, wait_until
from objects import endpoint_slice, endpoints, ingress, service


@pytest.fixture(scope="module")
def holdfast(server, api):
    running = Holdfast(
        "ingress", "--kubeconfig", server.kubeconfig, "--http-listen", "127.0.0.1:0",
        "--admin-listen", "127.0.0.1:0", "--workers", "2",
    )  # fmt: skip
    try:
        wait_ready(running.port("admin"))
        yield running
    finally:
        running.stop()
        print(running.log_text())


def test_kubectl_apply_then_talk(server, api, holdfast, pods):
    """What is applied with kubectl is served, and deleted is gone."""
    manifest = [
        service("hello"),
        endpoint_slice("hello", pods.addresses[:1]),
        ingress("hello", "hello.test", {"/ws": ("hello", 80)}),
    ]
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifest})
    server.kubectl("apply", "-f", "-", stdin=document)
    port = holdfast.port("http")
    wait_for_status(port, "hello.test", 200, "/ws")
    socket = WebSocket(port, "hello.test", "/ws")
    assert socket.pod == pods.addresses[0]
    for message in ("hello", "x" * 100_000, b"\x00\xff" * 40_000, ""):
        socket.echo(message)
    assert status_of(port, "hello.test", "/other") == 404
    admin = holdfast.port("admin")
    of_hello = {"namespace": "default", "ingress": "hello", "service": "hello"}
    messages = "holdfast_websocket_messages_total"
    wait_for_value(admin, 4, messages, direction="upstreamward", **of_hello)
    # The pod greets first.
    wait_for_value(admin, 5, messages, direction="downstreamward", **of_hello)
    assert scrape(admin).value("holdfast_upgrades_total", **of_hello) == 1
    assert scrape(admin).value("holdfast_websockets_open", **of_hello) == 1
    server.kubectl("delete", "ingress", "hello")
    wait_for_status(port, "hello.test", 404, "/ws")
    socket.echo("still here")
    socket.close()


def test_scaling_moves_no_connection(api, holdfast, pods):
    """Connections stay where they are while their Service is scaled up and down, new ones go to
    what the slice says, and an empty slice is 503, never 404."""
    api.apply(
        service("scale"),
        endpoint_slice("scale", pods.addresses[:1]),
        ingress("scale", "scale.test", {"/": ("scale", 80)}, {"holdfast.dev/slow-start": "0s"}),
    )
    port = holdfast.port("http")
    admin = holdfast.port("admin")
    wait_for_status(port, "scale.test", 200)
    first = [WebSocket(port, "scale.test") for _ in range(4)]
    assert {socket.pod for socket in first} == {pods.addresses[0]}

    version = scrape(admin).value("holdfast_snapshot_version")
    api.apply(endpoint_slice("scale", pods.addresses[:3]))
    wait_until(
        lambda: scrape(admin).value("holdfast_snapshot_version") > version, "the new endpoints"
    )
    second = [WebSocket(port, "scale.test") for _ in range(8)]
    # Least connections: the four on the first pod count.
    assert sorted(socket.pod for socket in second) == sorted(pods.addresses[1:3] * 4)

    api.apply(endpoint_slice("scale", pods.addresses[3:]))
    wait_for_pod(port, "scale.test", pods.addresses[3])
    api.apply(endpoint_slice("scale", []))
    wait_for_status(port, "scale.test", 503)
    for socket in first + second:
        assert socket.open
        socket.echo("still here")
    wait_for_value(admin, 12, "holdfast_websockets_open", ingress="scale", service="scale")
    for socket in first + second:
        socket.close()
    wait_for_value(admin, 0, "holdfast_websockets_open", ingress="scale", service="scale")


def test_a_bad_annotation_is_told_and_the_rest_served(api, holdfast, pods):
    """A value that does not parse is a problem on that object; its default applies."""
    api.apply(
        service("bad"),
        endpoint_slice("bad", pods.addresses[:1]),
        ingress(
            "bad", "bad.test", {"/": ("bad", 80)}, {"holdfast.dev/idle-timeout": "sixty seconds"}
        ),
    )
    port = holdfast.port("http")
    wait_for_status(port, "bad.test", 200)
    WebSocket(port, "bad.test").echo("served all the same")
    problems = json.loads(get(holdfast.port("admin"), "/debug/config")[1])
    text = json.dumps(problems)
    assert "idle-timeout" in text and "sixty seconds" in text, text[:500]
    wait_until(
        lambda: any(
            line["level"] == "warn" and "sixty seconds" in json.dumps(line)
            for line in holdfast.log()
        ),
        "the log to say so",
    )
    api.apply(ingress("bad", "bad.test", {"/": ("bad", 80)}))
    wait_until(
        lambda: "sixty seconds" not in get(holdfast.port("admin"), "/debug/config")[1],
        "the problem to go with its cause",
    )


def test_another_class_is_left_alone(api, holdfast, pods):
    api.apply(
        service("foreign"),
        endpoint_slice("foreign", pods.addresses[:1]),
        ingress("foreign", "foreign.test", {"/": ("foreign", 80)}, class_name="nginx"),
        ingress("ours", "ours.test", {"/": ("foreign", 80)}),
    )
    wait_for_status(holdfast.port("http"), "ours.test", 200)
    assert status_of(holdfast.port("http"), "foreign.test") == 404


def test_the_old_endpoints_api(server, api, pods, started):
    """--endpoints-api=endpoints reads core/v1 Endpoints, for clusters without slices."""
    api.apply(
        service("old"),
        endpoints("old", pods.addresses[:2]),
        ingress("old", "old.test", {"/": ("old", 80)}),
    )
    holdfast = started(
        Holdfast(
            "ingress", "--kubeconfig", server.kubeconfig, "--http-listen", "127.0.0.1:0",
            "--admin-listen", "127.0.0.1:0", "--endpoints-api=endpoints",
        )
    )  # fmt: skip
    port = holdfast.port("http")
    wait_for_status(port, "old.test", 200)
    sockets = [WebSocket(port, "old.test") for _ in range(2)]
    assert {socket.pod for socket in sockets} == set(pods.addresses[:2])


def test_serves_on_without_the_api_server(server, api, holdfast, pods):
    """A lost API server changes nothing for traffic; once it is back, so are its changes."""
    api.apply(
        service("lost"),
        endpoint_slice("lost", pods.addresses[:1]),
        ingress("lost", "lost.test", {"/": ("lost", 80)}),
    )
    port = holdfast.port("http")
    wait_for_status(port, "lost.test", 200)
    socket = WebSocket(port, "lost.test")
    server.kill()
    socket.echo("while it is away")
    WebSocket(port, "lost.test").echo("a new one, too")
    server.start()
    server.wait_ready()
    api.apply(endpoint_slice("lost", pods.addresses[1:2]))
    wait_for_pod(port, "lost.test", pods.addresses[1], patience=60)
    socket.echo("afterwards")
    assert get(holdfast.port("admin"), "/readyz")[0] == 200
