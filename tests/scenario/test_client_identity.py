"""Goal: the client is who it is, not who it says it is: X-Forwarded-* and PROXY headers are
believed of trusted proxies alone, and limits, logs, pages and pods all hear of the same address.

Method: clients bound to addresses of 127.0.0.0/8, of which some are trusted.
"""

import json
import socket

import pytest
from holdfast_test.edge import Edge
from holdfast_test.metrics import get, wait_for_value
from holdfast_test.peers import (
    CLOSE, Backend, answering, close_frame, connect, echo_websocket, frame, handshake,
    proxy_header_v2, response, take_frame, take_request,
)  # fmt: skip
from holdfast_test.process import wait_until

PROXY, OTHER_PROXY, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.9"
CLIENT = "192.0.2.1"
OK = response("200 OK", b"ok")
REFUSED = "holdfast_downstream_refused_total"


@pytest.fixture(scope="module")
def trusting_edge(tmp_path_factory):
    edge = Edge(
        tmp_path_factory.mktemp("manifests"),
        "--trusted-proxies", f"{PROXY},{OTHER_PROXY}/32", "--trusted-proxies", "fd00::/8",
        "--http-proxy-listen", "127.0.0.1:0", "--http-listen", "[::1]:0",
    )  # fmt: skip
    yield edge
    assert edge.stop() == 0, edge.holdfast.log_text()


@pytest.fixture
def edge(trusting_edge):
    yield trusting_edge
    trusting_edge.stop_peers()


def request(route, *fields, path="/"):
    lines = [f"GET {path} HTTP/1.1", f"Host: {route.host}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def ask(edge, route, *fields, source=PROXY, path="/"):
    """(status, the connection) of a request that came from `source`."""
    client = edge.connect(source=source)
    client.send(request(route, *fields, path=path))
    return client.take_response()[0].status, client


def fields_at(backend, number=-1):
    """What the pod was told in its last request, or in that of that number."""
    heads = bytes(backend.received).split(b"\r\n\r\n")[:-1]
    lines = heads[number].decode().split("\r\n")[1:]
    pairs = [line.split(": ", 1) for line in lines]
    fields = {name.lower(): value for name, value in pairs}
    assert len(fields) == len(pairs), lines
    return fields


def logged(edge, **fields):
    return wait_until(lambda: edge.holdfast.access_log(**fields), f"a line with {fields}")[0]


def connections(edge, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return json.loads(get(edge.admin, f"/debug/connections?{text}")[1])["connections"]


# X-Forwarded-*.


SPOOFED = (
    "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 127.0.0.2", "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.test", "X-Forwarded-Port: 1", "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6;proto=https", "X-Request-ID: spoofed", "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Ssl: on",
)  # fmt: skip


def test_what_a_stranger_says_of_itself_is_replaced(edge):
    route, backend = edge.serve(answering(OK))
    assert ask(edge, route, *SPOOFED, source=STRANGER)[0] == 200
    fields = fields_at(backend)
    assert fields["x-forwarded-for"] == fields["x-real-ip"] == STRANGER
    assert fields["x-forwarded-proto"] == "http"
    assert fields["x-forwarded-host"] == route.host
    assert fields["x-forwarded-port"] == str(edge.http)
    for absent in ("forwarded", "x-forwarded-prefix", "x-forwarded-ssl"):
        assert absent not in fields
    assert b"6.6.6.6" not in backend.received and b"evil" not in backend.received
    assert fields["x-request-id"] != "spoofed"
    line = logged(edge, host=route.host)
    assert (line["client"], line["request_id"]) == (STRANGER, fields["x-request-id"])


def test_what_a_trusted_proxy_says_is_kept(edge):
    route, backend = edge.serve(answering(OK))
    said = {
        "x-forwarded-proto": "https", "x-forwarded-host": "shop.test", "x-forwarded-port": "8443",
        "forwarded": f"for={CLIENT};proto=https", "x-request-id": "proxy-id.1",
        "x-forwarded-prefix": "/shop",
    }  # fmt: skip
    lines = [f"{name}: {value}" for name, value in said.items()]
    assert ask(edge, route, f"X-Forwarded-For: 6.6.6.6, {CLIENT}", *lines)[0] == 200
    fields = fields_at(backend)
    assert {name: fields[name] for name in said} == said
    assert fields["x-forwarded-for"] == f"6.6.6.6, {CLIENT}, {PROXY}"
    assert fields["x-real-ip"] == CLIENT
    assert fields["host"] == route.host
    assert logged(edge, host=route.host, request_id="proxy-id.1")["client"] == CLIENT


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ([], PROXY),
        ([f"{CLIENT}, {OTHER_PROXY}"], CLIENT),
        ([f"6.6.6.6, {CLIENT}", OTHER_PROXY], CLIENT),
        ([f"{OTHER_PROXY}, {PROXY}"], OTHER_PROXY),
        ([f"{CLIENT}, unknown, {OTHER_PROXY}"], OTHER_PROXY),
        ([f"::ffff:{CLIENT}"], CLIENT),
        (["[2001:db8::1]:5000, fd00::1"], "2001:db8::1"),
    ],
)
def test_chains(edge, lines, client):
    route, backend = edge.serve(answering(OK))
    assert ask(edge, route, *[f"X-Forwarded-For: {line}" for line in lines])[0] == 200
    fields = fields_at(backend)
    assert fields["x-real-ip"] == client
    assert fields["x-forwarded-for"] == ", ".join([*lines, PROXY])
    assert logged(edge, host=route.host)["client"] == client


def test_pages_of_the_host_that_a_trusted_proxy_names_are_of_the_same_origin(edge):
    route, _ = edge.serve(echo_websocket, allowed_origins="same-origin")

    def status(source, origin, *lines):
        client = edge.connect(source=source)
        client.send(handshake(route.host, "/", f"Origin: {origin}", *lines))
        return client.take_head().status

    forwarded = "X-Forwarded-Host: shop.test"
    assert status(PROXY, "https://shop.test", forwarded) == 101
    assert status(PROXY, f"https://{route.host}", forwarded) == 403
    assert status(PROXY, f"https://{route.host}") == 101
    assert status(STRANGER, "https://shop.test", forwarded) == 403
    assert status(STRANGER, f"https://{route.host}", forwarded) == 101
    # And of its scheme, where the proxy states that.
    https = "X-Forwarded-Proto: https"
    assert status(PROXY, "https://shop.test", "X-Forwarded-Host: shop.test, b.test", https) == 101
    assert status(PROXY, "http://shop.test", forwarded, https) == 403
    assert status(PROXY, "https://shop.test", forwarded, "X-Forwarded-Proto: http") == 403
    assert status(PROXY, "http://shop.test", forwarded) == 101
    assert status(STRANGER, f"http://{route.host}", https) == 101


def test_requests_of_many_clients_on_one_connection(edge):
    route, backend = edge.serve(answering(OK))
    connection = edge.connect(source=PROXY)
    for number in range(3):
        connection.send(request(route, f"X-Forwarded-For: 192.0.2.{number}"))
        assert connection.take_response()[0].status == 200
        assert fields_at(backend)["x-real-ip"] == f"192.0.2.{number}"
    connection.send(request(route))
    assert connection.take_response()[0].status == 200
    assert fields_at(backend)["x-real-ip"] == PROXY


def test_our_own_answer_has_the_proxys_id(edge):
    client = edge.connect(source=PROXY)
    client.send(b"GET / HTTP/1.1\r\nHost: nowhere.test\r\nX-Request-ID: page-id\r\n\r\n")
    head, body = client.take_response()
    assert head.status == 404
    assert head.get("x-request-id") == "page-id"
    assert b"page-id" in body
    logged(edge, request_id="page-id", status=404)


def test_limits_hold_for_the_real_client(edge):
    route, backend = edge.serve(answering(OK), allow_cidrs="192.0.2.0/24")
    assert ask(edge, route, f"X-Forwarded-For: {CLIENT}")[0] == 200
    assert ask(edge, route, "X-Forwarded-For: 198.51.100.1")[0] == 403
    assert ask(edge, route, f"X-Forwarded-For: {CLIENT}, 198.51.100.1")[0] == 403
    assert ask(edge, route, f"X-Forwarded-For: {CLIENT}", source=STRANGER)[0] == 403
    assert ask(edge, route)[0] == 403
    assert len(backend.connections) == 1
    client = proxied(edge, f"PROXY TCP4 {CLIENT} 10.0.0.1 5000 80\r\n".encode())
    client.send(request(route))
    assert client.take_response()[0].status == 200


def test_a_websocket_is_its_clients_to_the_end(edge):
    route, _ = edge.serve(echo_websocket)
    client = edge.connect(source=PROXY)
    client.send(handshake(route.host, "/", f"X-Forwarded-For: {CLIENT}", "X-Request-ID: ws-id"))
    assert client.take_head().status == 101
    client.send(frame(b"hi", masked=True))
    assert take_frame(client)[1] == b"hi"
    (shown,) = connections(edge, client=CLIENT, kind="websocket")
    assert shown["request_id"] == "ws-id"
    client.send(close_frame(1000, masked=True))
    assert take_frame(client)[0] == CLOSE
    client.close()
    for kind in ("websocket_open", "websocket_close"):
        assert logged(edge, type=kind, request_id="ws-id")["client"] == CLIENT


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


@pytest.mark.parametrize("sent", [[], [f"traceparent: {TRACE}"]])
def test_a_trace_is_logged_when_the_pod_was_told_of_it(edge, sent):
    """With an id of the proxy's own, which is not the trace's."""
    route, backend = edge.serve(answering(OK), allow_cidrs="127.0.0.0/8")
    assert ask(edge, route, "X-Request-ID: told", *sent)[0] == 200
    trace = fields_at(backend)["traceparent"][3:35]
    assert logged(edge, host=route.host, request_id="told")["trace_id"] == trace
    lines = ("X-Request-ID: refused", f"X-Forwarded-For: {CLIENT}", *sent)
    assert ask(edge, route, *lines)[0] == 403
    assert "trace_id" not in logged(edge, host=route.host, request_id="refused")


def test_no_trace_is_logged_that_the_route_replaces(edge):
    route, backend = edge.serve(answering(OK), request_headers="-traceparent")
    assert ask(edge, route, f"traceparent: {TRACE}")[0] == 200
    assert "traceparent" not in fields_at(backend)
    assert "trace_id" not in logged(edge, host=route.host)


# PROXY headers in.


def proxied(edge, start, source=PROXY):
    """A connection to the listener for PROXY headers that begins with `start`."""
    client = connect(edge.holdfast.port("http-proxy"), source=source)
    client.send(start)
    return client


@pytest.mark.parametrize(
    ("header", "client", "port"),
    [
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n", CLIENT, 443),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", "2001:db8::1", 443),
        # Nobody connects to port 0: the proxy does not know it.
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 0\r\n", CLIENT, None),
        (proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 0)), CLIENT, None),
        (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 5000 443\r\n", CLIENT, 443),
        (b"PROXY UNKNOWN\r\n", PROXY, None),
        (b"PROXY UNKNOWN 192.0.2.1 x y z\r\n", PROXY, None),
        (proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443)), CLIENT, 443),
        (proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443), rest=b"\4\0\1x"), CLIENT, 443),
        (proxy_header_v2(("2001:db8::1", 5000), ("2001:db8::2", 443)), "2001:db8::1", 443),
        (proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443), command=0x20), PROXY, None),
    ],
)
def test_a_proxy_header_names_the_client(edge, header, client, port):
    route, backend = edge.serve(answering(OK))
    connection = proxied(edge, header + request(route))
    assert connection.take_response()[0].status == 200
    # The next request of that connection is the same client's.
    connection.send(request(route))
    assert connection.take_response()[0].status == 200
    for number in range(2):
        fields = fields_at(backend, number)
        assert fields["x-forwarded-for"] == fields["x-real-ip"] == client
        assert fields["x-forwarded-port"] == str(port or edge.holdfast.port("http-proxy"))
    assert logged(edge, host=route.host)["client"] == client


def test_a_slow_proxy_header_is_read(edge):
    route, backend = edge.serve(answering(OK))
    connection = proxied(edge, b"")
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 80)) + request(route):
        connection.send(bytes([byte]))
    assert connection.take_response()[0].status == 200
    assert fields_at(backend)["x-real-ip"] == CLIENT


def test_the_named_client_is_not_believed_for_being_named(edge):
    route, backend = edge.serve(answering(OK))
    header = f"PROXY TCP4 {CLIENT} 10.0.0.1 5000 80\r\n".encode()
    connection = proxied(edge, header + request(route, "X-Forwarded-For: 6.6.6.6"))
    assert connection.take_response()[0].status == 200
    fields = fields_at(backend)
    assert fields["x-forwarded-for"] == fields["x-real-ip"] == CLIENT


def test_a_trusted_proxy_behind_a_trusted_one_is_believed(edge):
    route, backend = edge.serve(answering(OK))
    header = f"PROXY TCP4 {OTHER_PROXY} 10.0.0.1 5000 80\r\n".encode()
    connection = proxied(edge, header + request(route, f"X-Forwarded-For: {CLIENT}"))
    assert connection.take_response()[0].status == 200
    fields = fields_at(backend)
    assert fields["x-forwarded-for"] == f"{CLIENT}, {OTHER_PROXY}"
    assert fields["x-real-ip"] == CLIENT


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 65536\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 05000 80\r\n",
        b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\n\r\n",
        b"PROXY " + b"x" * 101,
        proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443), command=0x11),
        proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443), rest=b"x" * 4096),
        proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443))[:14] + b"\0\x0b" + b"x" * 11,
    ],
)
def test_a_malformed_proxy_header_is_not_answered(edge, start):
    before = edge.metrics().value(REFUSED, reason="bad_proxy_header")
    assert proxied(edge, start).ends()
    wait_for_value(edge.admin, before + 1, REFUSED, reason="bad_proxy_header")


def test_a_stranger_may_not_send_a_proxy_header(edge):
    before = edge.metrics().value(REFUSED, reason="untrusted_proxy")
    client = connect(edge.holdfast.port("http-proxy"), source=STRANGER)
    assert client.ends()
    wait_for_value(edge.admin, before + 1, REFUSED, reason="untrusted_proxy")


def test_an_ordinary_listener_knows_no_proxy_header(edge):
    client = edge.connect(source=PROXY)
    client.send(b"PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take_response()[0].status == 400


# PROXY headers out.


def recording(seen, serve):
    """A script that puts the PROXY header it gets into `seen` and goes on as `serve`."""

    def script(connection):
        seen.append(connection.take_proxy_header())
        serve(connection)

    return script


def local_port(client):
    return client.socket.getsockname()[1]


@pytest.mark.parametrize("version", [1, 2])
def test_a_pod_hears_of_the_client_first(edge, version):
    seen = []
    route, backend = edge.serve(recording(seen, answering(OK)), proxy_protocol=f"v{version}")
    _, client = ask(edge, route, source=STRANGER)
    assert seen == [(version, (STRANGER, local_port(client)), ("127.0.0.1", edge.http))]
    # A client behind a proxy: its port is not known.
    ask(edge, route, f"X-Forwarded-For: {CLIENT}")
    assert seen[1] == (version, (CLIENT, 0), ("127.0.0.1", edge.http))
    # One that a PROXY header named is passed on as it was named.
    connection = proxied(edge, proxy_header_v2((CLIENT, 5000), ("10.0.0.1", 443)))
    connection.send(request(route))
    assert connection.take_response()[0].status == 200
    assert seen[2] == (version, (CLIENT, 5000), ("10.0.0.1", 443))
    # Mixed families are IPv6 both.
    ask(edge, route, "X-Forwarded-For: 2001:db8::1")
    assert seen[3] == (version, ("2001:db8::1", 0), ("::ffff:127.0.0.1", edge.http))
    assert len(backend.connections) == 4


@pytest.mark.parametrize("version", [1, 2])
def test_a_health_check_begins_with_one_that_names_nobody(edge, version):
    seen, asked = [], []

    def pod(connection):
        seen.append(connection.take_proxy_header())
        asked.append(take_request(connection)[0])
        connection.send(response("204 Well"))

    before = edge.metrics().value("holdfast_health_checks_total", result="success")
    backend = edge.backend(pod)
    edge.route(backend, health_path="/healthz", proxy_protocol=f"v{version}")
    wait_until(
        lambda: edge.metrics().value("holdfast_health_checks_total", result="success") > before,
        "a check",
    )  # fmt: skip
    assert seen[0] == (version, None, None)
    assert asked[0].start == "GET /healthz HTTP/1.1"


@pytest.mark.parametrize("version", [1, 2])
def test_a_websockets_connection_begins_with_it(edge, version):
    seen = []
    route, _ = edge.serve(recording(seen, echo_websocket), proxy_protocol=f"v{version}")
    client = edge.connect(source=STRANGER)
    client.send(handshake(route.host))
    assert client.take_head().status == 101
    client.send(frame(b"hi", masked=True))
    assert take_frame(client)[1] == b"hi"
    assert seen == [(version, (STRANGER, local_port(client)), ("127.0.0.1", edge.http))]


def test_such_a_connection_is_not_shared(edge):
    seen = []
    backend = edge.backend(recording(seen, answering(OK)))
    route = edge.route(backend, proxy_protocol="v1")
    clients = [edge.connect(source=source) for source in (STRANGER, "127.0.0.8")]
    for _ in range(2):
        for client in clients:
            client.send(request(route))
            assert client.take_response()[0].status == 200
    assert [source for _, (source, _), _ in seen] == [STRANGER, "127.0.0.8"] * 2
    assert len(backend.connections) == 4


def test_a_kept_connection_without_a_header_is_not_taken(edge):
    first, seen = [], []

    def script(connection):
        if not first:
            first.append(connection)
            return answering(OK)(connection)
        seen.append(connection.take_proxy_header())
        return answering(OK)(connection)

    route, backend = edge.serve(script)
    client = edge.connect(source=STRANGER)
    client.send(request(route))
    assert client.take_response()[0].status == 200
    route.change(annotations={"proxy-protocol": "v2"})
    client.send(request(route))
    assert client.take_response()[0].status == 200
    assert len(backend.connections) == 2
    assert seen[0][1] == (STRANGER, local_port(client))


def test_another_try_sends_it_anew(edge):
    seen = []

    def script(connection):
        seen.append(connection.take_proxy_header())
        take_request(connection)
        if len(seen) > 1:
            connection.send(OK)

    route, backend = edge.serve(script, proxy_protocol="v1")
    assert ask(edge, route, source=STRANGER)[0] == 200
    assert len(seen) == len(backend.connections) == 2
    assert seen[0] == seen[1]


# IPv4 and IPv6.


@pytest.mark.parametrize("pod", ["127.0.0.1", "::1"])
def test_listeners_and_pods_of_both_families(edge, pod):
    backend = edge.keep(Backend(answering(OK), pod))
    route = edge.route(backend)
    v6_port = edge.holdfast.ports("http")[1]
    for host, port in (("127.0.0.1", edge.http), ("::1", v6_port)):
        client = connect(port, host)
        client.send(request(route))
        assert client.take_response()[0].status == 200
        assert fields_at(backend)["x-real-ip"] == host
        logged(edge, host=route.host, client=host)


def test_an_ipv6_listener_leaves_ipv4_alone(own_edge):
    """So that 0.0.0.0 and [::] can be listened on with one port number."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        edge = own_edge("--http-listen", f"[::]:{taken.getsockname()[1]}")
        route = edge.route(edge.backend(answering(OK)))
        client = connect(edge.holdfast.ports("http")[1], "::1")
        client.send(request(route))
        assert client.take_response()[0].status == 200
